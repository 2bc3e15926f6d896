use pasar_contracts::{
    api::payments::PaymentState,
    events::{
        inventory::Shortage,
        payments::{NextAction, VoidReason},
    },
};

use super::*;
use crate::{
    commands::{Moved, move_order::Step},
    process::Stage,
    shop::{Shop, USUAL_TOTAL, captured, here, idr, order, refund, there, usual},
};

/// given → facts → events, rows
#[track_caller]
fn check(shop: &Shop, id: OrderId, facts: impl IntoIterator<Item = Fact>) -> String {
    for fact in facts {
        shop.fact(id, fact);
    }
    format!("{}{}", shop.events(), shop.shown(id))
}

#[test]
fn stock_and_money_secure_an_order_and_the_capture_confirms_it() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Placed);
    let facts = [
        Fact::StockReserved,
        Fact::Authorized,
        captured(),
        Fact::StockSold,
    ];
    insta::assert_snapshot!(check(&shop, id, facts), @r#"
    order.stock_reserved.v1 v2 {"number":1}
    order.secured.v1 v3 {"number":1}
    order.confirmed.v1 v4 {"number":1,"paid":true}
    order.stock_sold.v1 v5 {"number":1}
    confirmed stock=sold payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
}

#[test]
fn the_legs_may_come_in_either_order() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Placed);
    let facts = [Fact::Authorized, Fact::StockReserved];
    insta::assert_snapshot!(check(&shop, id, facts), @r#"
    order.payment_authorized.v1 v2 {"number":1}
    order.secured.v1 v3 {"number":1}
    secured stock=reserved payment=authorized captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    "#);
}

#[test]
fn money_that_is_captured_at_once_needs_no_capture() {
    let shop = Shop::open();
    let first = shop.at(1, Stage::Placed);
    insta::assert_snapshot!(check(&shop, first, [captured(), Fact::StockReserved]), @r#"
    order.payment_captured.v1 v2 {"number":1}
    order.confirmed.v1 v3 {"number":1,"paid":true}
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
    let second = shop.at(2, Stage::StockHeld);
    insta::assert_snapshot!(check(&shop, second, [captured()]), @r#"
    order.confirmed.v1 v3 {"number":2,"paid":true}
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
    let third = shop.at(3, Stage::MoneyHeld);
    insta::assert_snapshot!(check(&shop, third, [captured(), Fact::StockReserved]), @r#"
    order.payment_captured.v1 v3 {"number":3}
    order.confirmed.v1 v4 {"number":3,"paid":true}
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled
    "#);
}

#[test]
fn cash_is_confirmed_unpaid_and_the_money_ends_the_wait() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Placed);
    insta::assert_snapshot!(check(&shop, id, [Fact::Due, Fact::StockReserved]), @r#"
    order.payment_authorized.v1 v2 {"number":1}
    order.confirmed.v1 v3 {"number":1,"paid":false}
    confirmed stock=reserved payment=due captured=0 refunded=0 refunding=0 cash settled
    timer pay_by 2026-11-20T02:15:00Z
    "#);
    insta::assert_snapshot!(check(&shop, id, [captured()]), @r#"
    order.payment_captured.v1 v4 {"number":1}
    confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash settled
    "#);
}

#[test]
fn a_customer_who_must_act_is_told_how_until_the_money_is_there() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::StockHeld);
    let expires_at = "2026-11-20T02:10:00Z".parse().unwrap();
    let action = NextAction::Redirect {
        url: "https://pay.example/1".to_owned(),
        expires_at,
    };
    let required = Fact::ActionRequired {
        action: action.clone(),
        expires_at,
    };
    insta::assert_snapshot!(check(&shop, id, [required]), @r#"
    order.action_required.v1 v3 {"expires_at":"2026-11-20T02:10:00Z","number":1} private {"type":"redirect","url":"https://pay.example/1","expires_at":"2026-11-20T02:10:00Z"}
    stock_held stock=reserved payment=requires_action captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    "#);
    assert_eq!(shop.row(id).next_action, Some(action));
    insta::assert_snapshot!(check(&shop, id, [Fact::Authorized]), @r#"
    order.secured.v1 v4 {"number":1}
    secured stock=reserved payment=authorized captured=0 refunded=0 refunding=0
    timer deadline 2026-11-20T02:15:00Z
    "#);
    assert_eq!(shop.row(id).next_action, None);
}

#[test]
fn a_shortage_cancels_and_is_told_once_the_money_has_answered() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::MoneyHeld);
    let shortages = vec![Shortage {
        sku: "tea".parse().unwrap(),
        requested: 2,
        available: 1,
    }];
    insta::assert_snapshot!(check(&shop, id, [Fact::StockRefused { shortages }]), @r#"
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"out_of_stock","restock":true}
    cancelling stock=refused payment=authorized captured=0 refunded=0 refunding=0 stock_answered
    cancellation {"reason":"out_of_stock","restock":true,"by_staff":false,"shortages":[{"sku":"tea","requested":2,"available":1}]}
    "#);
    let reason = VoidReason::Requested;
    insta::assert_snapshot!(check(&shop, id, [Fact::Voided { reason }]), @r#"
    order.cancelled.v1 v4 {"number":1,"reason":"out_of_stock","shortages":[{"available":1,"requested":2,"sku":"tea"}]}
    cancelled stock=refused payment=voided captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"out_of_stock","restock":true,"by_staff":false,"shortages":[{"sku":"tea","requested":2,"available":1}]}
    "#);
    // Inventory answers the cancelling too, although it held nothing.
    insta::assert_snapshot!(check(&shop, id, [Fact::StockReleased]), @r#"
    cancelled stock=refused payment=voided captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"out_of_stock","restock":true,"by_staff":false,"shortages":[{"sku":"tea","requested":2,"available":1}]}
    "#);
}

#[test]
fn money_that_fails_cancels_for_its_own_reason() {
    let shop = Shop::open();
    let declined = shop.at(1, Stage::StockHeld);
    insta::assert_snapshot!(check(&shop, declined, [Fact::Declined, Fact::StockReleased]), @r#"
    order.cancelling.v1 v3 {"by_staff":false,"number":1,"reason":"payment_declined","restock":true}
    order.cancelled.v1 v4 {"number":1,"reason":"payment_declined"}
    cancelled stock=released payment=declined captured=0 refunded=0 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"payment_declined","restock":true,"by_staff":false}
    "#);
    let failed = shop.at(2, Stage::Secured);
    insta::assert_snapshot!(check(&shop, failed, [Fact::CaptureFailed]), @r#"
    order.cancelling.v1 v4 {"by_staff":false,"number":2,"reason":"capture_failed","restock":true}
    cancelling stock=reserved payment=authorized captured=0 refunded=0 refunding=0
    cancellation {"reason":"capture_failed","restock":true,"by_staff":false,"capture_failed":true}
    "#);
    let lapsed = shop.at(3, Stage::MoneyHeld);
    let reason = VoidReason::Lapsed;
    insta::assert_snapshot!(check(&shop, lapsed, [Fact::Voided { reason }]), @r#"
    order.cancelling.v1 v3 {"by_staff":false,"number":3,"reason":"payment_lapsed","restock":true}
    cancelling stock=pending payment=voided captured=0 refunded=0 refunding=0 money_answered
    cancellation {"reason":"payment_lapsed","restock":true,"by_staff":false}
    "#);
    let expired = shop.at(4, Stage::Secured);
    insta::assert_snapshot!(check(&shop, expired, [Fact::StockExpired]), @r#"
    order.cancelling.v1 v4 {"by_staff":false,"number":4,"reason":"reservation_expired","restock":true}
    cancelling stock=expired payment=authorized captured=0 refunded=0 refunding=0 stock_answered
    cancellation {"reason":"reservation_expired","restock":true,"by_staff":false}
    "#);
}

#[test]
fn a_capture_that_races_a_cancel_goes_back_before_the_order_is_cancelled() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Secured);
    assert_eq!(shop.cancel(id, false, false), Moved::Done);
    shop.events();
    insta::assert_snapshot!(check(&shop, id, [Fact::StockReleased, captured()]), @r#"
    order.stock_released.v1 v5 {"number":1}
    order.payment_captured.v1 v6 {"number":1}
    cancelling stock=released payment=captured captured=5000000 refunded=0 refunding=0 stock_answered
    cancellation {"reason":"cancelled_by_customer","restock":true,"by_staff":false}
    "#);
    let ended = RefundEnded {
        refund: refund(1),
        amount: idr(USUAL_TOTAL),
        ended: Ended::Succeeded { in_full: true },
    };
    shop.write(move |ctx| {
        record_refund(
            ctx,
            &mut Desk::default(),
            id,
            ended,
            crate::shop::PAY_WITHIN,
        )
    });
    insta::assert_snapshot!(check(&shop, id, []), @r#"
    order.cancelled.v1 v7 {"number":1,"reason":"cancelled_by_customer"}
    cancelled stock=released payment=refunded captured=5000000 refunded=5000000 refunding=0 stock_answered money_answered settled
    cancellation {"reason":"cancelled_by_customer","restock":true,"by_staff":false}
    "#);
    let row = shop
        .store
        .read_now(|tx| crate::queries::find(tx, id))
        .unwrap()
        .unwrap();
    assert_eq!(row.refunds.len(), 1);
    assert_eq!(row.refunds[0].reason, "cancelled");
}

#[test]
fn part_of_the_money_does_not_answer_for_the_whole() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    shop.cancel(id, true, false);
    shop.fact(id, Fact::StockReleased);
    let give_back = |n, amount, in_full| {
        let ended = RefundEnded {
            refund: refund(n),
            amount: idr(amount),
            ended: Ended::Succeeded { in_full },
        };
        shop.write(move |ctx| {
            record_refund(
                ctx,
                &mut Desk::default(),
                id,
                ended,
                crate::shop::PAY_WITHIN,
            )
        });
        shop.row(id).stage
    };
    assert_eq!(give_back(1, 1_000_000, false), Stage::Cancelling);
    assert_eq!(give_back(2, 4_000_000, true), Stage::Cancelled);
}

#[test]
fn a_refund_that_came_twice_counts_once_and_one_that_failed_may_still_succeed() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    let end = |ended| {
        let ended = RefundEnded {
            refund: refund(1),
            amount: idr(1_000_000),
            ended,
        };
        shop.write(move |ctx| {
            record_refund(
                ctx,
                &mut Desk::default(),
                id,
                ended,
                crate::shop::PAY_WITHIN,
            )
        });
        shop.shown(id)
    };
    insta::assert_snapshot!(end(Ended::Failed), @"confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 settled");
    insta::assert_snapshot!(end(Ended::Succeeded { in_full: false }), @"confirmed stock=reserved payment=partially_refunded captured=5000000 refunded=1000000 refunding=0 settled");
    shop.events();
    insta::assert_snapshot!(end(Ended::Succeeded { in_full: false }), @"confirmed stock=reserved payment=partially_refunded captured=5000000 refunded=1000000 refunding=0 settled");
    insta::assert_snapshot!(shop.events(), @"");
}

#[test]
fn what_is_impossible_faults_and_writes_nothing() {
    let shop = Shop::open();
    let id = shop.at(1, Stage::Confirmed);
    let before = shop.row(id);
    let fault = shop.try_fact(id, Fact::Declined).unwrap_err();
    assert!(!fault.retry(), "it would be tried for ever");
    insta::assert_snapshot!(fault, @"defect: PaymentDeclined is impossible for order ord_01040g2081040g2081040g2081 in stage confirmed");
    assert_eq!(shop.row(id), before);
    insta::assert_snapshot!(shop.events(), @"");
}

#[test]
fn an_order_that_is_not_known_is_corrupt() {
    let shop = Shop::open();
    let fault = shop.try_fact(order(9), Fact::StockReserved).unwrap_err();
    assert!(!fault.retry());
    insta::assert_snapshot!(fault, @"stored data cannot be read: order ord_09144gj289144gj289144gj289 is not known here");
}

#[test]
fn abandoned_cash_is_voided() {
    let shop = Shop::open();
    let id = shop.cash_at(1, there(), false);
    assert_eq!(shop.step(id, Step::Start), Moved::Done);
    assert_eq!(shop.step(id, Step::Ready), Moved::Done);
    shop.events();
    let facts = [
        Fact::CutOffPassed,
        Fact::Voided {
            reason: VoidReason::Requested,
        },
    ];
    insta::assert_snapshot!(check(&shop, id, facts), @r#"
    order.abandoned.v1 v6 {"number":1}
    order.payment_voided.v1 v7 {"number":1}
    abandoned stock=reserved payment=voided captured=0 refunded=0 refunding=0 cash settled
    "#);
}

#[test]
fn the_events_of_an_order_have_all_versions_and_its_flow() {
    let shop = Shop::open();
    shop.place(usual(1));
    let id = order(1);
    for fact in [
        Fact::StockReserved,
        Fact::StockReserved,
        Fact::Authorized,
        captured(),
    ] {
        shop.fact(id, fact);
    }
    for step in [Step::Start, Step::Ready, Step::Collect] {
        shop.step(id, step);
    }
    let events = shop.new_events();
    let versions: Vec<i64> = events.iter().map(|event| event.keyversion).collect();
    assert_eq!(versions, (1..=7).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.flow == events[0].flow));
    assert_eq!(shop.row(id).keyversion, 7);
}

#[test]
fn a_paid_cash_order_stays_captured_when_the_money_is_told_again() {
    let shop = Shop::open();
    let id = shop.cash_at(1, here(), true);
    insta::assert_snapshot!(check(&shop, id, [captured()]), @"confirmed stock=reserved payment=captured captured=5000000 refunded=0 refunding=0 cash settled");
    assert_eq!(shop.row(id).payment, PaymentState::Captured);
}
