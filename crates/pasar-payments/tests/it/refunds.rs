//! Money that goes back: never more than came, however many ask at once.

use pasar_contracts::{
    api::payments::{Operation, PaymentState, RefundState},
    events::payments::{PaymentRefundFailed, PaymentRefunded},
};

use crate::{
    fake_provider::{Trick, declined},
    system::{System, TOTAL_MINOR, idr, order},
};

#[tokio::test]
async fn parallel_refunds_stop_at_what_was_captured() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    for number in 10..20 {
        system.refund(order, number, 400_000);
    }
    let payment = system
        .when(order, "all refunds ended", |payment| {
            payment.refunds.len() == 10
                && payment
                    .refunds
                    .iter()
                    .all(|refund| refund.state != RefundState::Requested)
        })
        .await;
    let succeeded = payment
        .refunds
        .iter()
        .filter(|refund| refund.state == RefundState::Succeeded);
    assert_eq!(succeeded.count(), 6);
    assert_eq!(payment.payment.refunded, idr(2_400_000));
    let charge = system.provider.charge(order.payment);
    assert_eq!(
        (charge.refunds.len(), charge.refunded_minor()),
        (6, 2_400_000)
    );
    let balances = system.balances().await;
    assert_eq!(balances["refunds"], 2_400_000);
    assert_eq!(balances["provider:fake"], TOTAL_MINOR - 2_400_000);
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_paid_out_once() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    system.provider.trick(Operation::Refund, Trick::LoseAnswer);
    system.refund(order, 9, 1_000_000);
    let refunded: PaymentRefunded = system.next(order).await;
    assert_eq!(refunded.refunded_total, idr(1_000_000));
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.refunded_minor(), 1_000_000);
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_is_told_and_can_be_repeated() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    let refused = Trick::Say(declined("account_closed"));
    system.provider.trick(Operation::Refund, refused);
    let first = system.refund(order, 9, TOTAL_MINOR);
    let failed: PaymentRefundFailed = system.next(order).await;
    assert_eq!(
        (failed.refund_id, &*failed.reason),
        (first, "account_closed")
    );
    let second = system.refund(order, 10, TOTAL_MINOR);
    let refunded: PaymentRefunded = system.next(order).await;
    assert_eq!((refunded.refund_id, refunded.in_full), (second, true));
    system.reach(order, PaymentState::Refunded).await;
}

#[tokio::test]
async fn a_cancelled_orders_refund_is_asked_for_until_it_is_paid_out() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    for _ in 0..2 {
        let refused = Trick::Say(declined("try_later"));
        system.provider.trick(Operation::Refund, refused);
    }
    system.cancel(order, false);
    let payment = system.reach(order, PaymentState::Refunded).await;
    let states: Vec<_> = payment.refunds.iter().map(|refund| refund.state).collect();
    assert_eq!(
        states,
        [
            RefundState::Failed,
            RefundState::Failed,
            RefundState::Succeeded
        ]
    );
    assert_eq!(
        system.events(order)[3..],
        ["refund_failed", "refund_failed", "refunded"]
    );
}
