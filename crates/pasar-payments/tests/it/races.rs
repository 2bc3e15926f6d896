//! Orders that change their mind while the provider is busy, slow or gone: the money must end where it
//! belongs, counted in the provider's own books.

use std::sync::Arc;

use pasar_contracts::{
    api::payments::{Operation, PaymentState},
    events::payments::{PaymentRefunded, PaymentVoided, VoidReason},
};
use tokio::sync::Semaphore;

use crate::{
    fake_provider::Trick,
    system::{System, TOTAL_MINOR, order},
};

#[tokio::test]
async fn a_happy_order_is_authorised_and_captured_once() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    assert_eq!(
        system.events(order),
        ["initiated", "authorized", "captured"]
    );
    let charge = system.provider.charge(order.payment);
    assert_eq!((charge.capture_keys.len(), charge.held), (1, false));
    assert_eq!(system.balances().await["provider:fake"], TOTAL_MINOR);
}

#[tokio::test]
async fn each_operation_has_its_own_key_and_only_the_first_carries_the_token() {
    let (system, order) = (System::start(), order(1));
    system.captured(order).await;
    let sent: Vec<_> = system
        .provider
        .requests(order.payment)
        .into_iter()
        .map(|request| (request.idempotency_key, request.token.is_some()))
        .collect();
    let key = |operation| format!("{}:{operation}", order.payment);
    assert_eq!(sent, [(key("authorize"), true), (key("capture"), false)]);
}

#[tokio::test]
async fn an_authorisation_whose_answer_is_lost_is_found_by_looking_it_up() {
    let (system, order) = (System::start(), order(1));
    system
        .provider
        .trick(Operation::Authorize, Trick::LoseAnswer);
    system.place(order, "tok_ok");
    let payment = system.reach(order, PaymentState::Authorized).await;
    assert_eq!(payment.attempts[0].failures, 1);
    let sent: Vec<_> = system
        .provider
        .requests(order.payment)
        .into_iter()
        .map(|request| (request.operation, request.token.is_some()))
        .collect();
    assert_eq!(
        sent,
        [(Operation::Authorize, true), (Operation::LookUp, false)]
    );
}

#[tokio::test]
async fn a_request_that_never_arrived_is_made_again_under_its_key() {
    let (system, order) = (System::start(), order(1));
    for _ in 0..3 {
        system
            .provider
            .trick(Operation::Authorize, Trick::LoseRequest);
    }
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.authorize_keys.len(), 1);
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_is_counted_once() {
    let (system, order) = (System::start(), order(1));
    system.provider.trick(Operation::Capture, Trick::LoseAnswer);
    system.captured(order).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.capture_keys.len(), 1);
    assert_eq!(
        system.provider.calls(order.payment),
        [Operation::Authorize, Operation::Capture, Operation::LookUp]
    );
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_and_that_is_then_cancelled_is_given_back() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    system.provider.trick(Operation::Capture, Trick::LoseAnswer);
    system.secure(order);
    system.cancel(order, false);
    let refunded: PaymentRefunded = system.next(order).await;
    assert!(refunded.in_full);
    system.reach(order, PaymentState::Refunded).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.capture_keys.len(), 1);
    assert_eq!(charge.refunded_minor(), TOTAL_MINOR);
    assert_eq!(system.balances().await["provider:fake"], 0);
}

#[tokio::test]
async fn a_capture_that_never_arrived_and_is_then_cancelled_is_voided() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    system
        .provider
        .trick(Operation::Capture, Trick::LoseRequest);
    system.secure(order);
    system.cancel(order, false);
    let voided: PaymentVoided = system.next(order).await;
    assert_eq!(voided.reason, VoidReason::Requested);
    system.reach(order, PaymentState::Voided).await;
    let charge = system.provider.charge(order.payment);
    assert_eq!((charge.captured_minor(), charge.held), (0, false));
}

#[tokio::test]
async fn a_cancel_that_comes_while_the_capture_is_in_flight_waits_for_its_result() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    let permits = Arc::new(Semaphore::new(0));
    let trick = Trick::HoldAnswer(Arc::clone(&permits));
    system.provider.trick(Operation::Capture, trick);
    system.secure(order);
    system.cancel(order, false);
    system.caught_up().await;
    assert_eq!(system.events(order), ["initiated", "authorized"]);
    permits.add_permits(1);
    system.reach(order, PaymentState::Refunded).await;
    assert_eq!(
        system.events(order),
        ["initiated", "authorized", "captured", "refunded"]
    );
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.captured_minor() - charge.refunded_minor(), 0);
}

#[tokio::test]
async fn a_cancel_while_the_authorisation_is_unknown_leaves_nothing_held() {
    for trick in [Trick::LoseAnswer, Trick::LoseRequest] {
        let (system, order) = (System::start(), order(1));
        system.provider.trick(Operation::Authorize, trick);
        system.place(order, "tok_ok");
        system.cancel(order, false);
        system.reach(order, PaymentState::Voided).await;
        let charge = system.provider.charge(order.payment);
        assert_eq!((charge.held, charge.voided), (false, true));
        assert_eq!(system.events(order).last().unwrap(), "voided");
    }
}

#[tokio::test]
async fn a_cancel_before_the_order_is_heard_of_refuses_it_for_good() {
    let (system, order) = (System::start(), order(1));
    system.cancel(order, false);
    system.place(order, "tok_ok");
    system.caught_up().await;
    let voided: PaymentVoided = system.next(order).await;
    assert_eq!(voided.reason, VoidReason::Nothing);
    assert_eq!(system.events(order), ["voided"]);
    assert_eq!(system.provider.calls(order.payment), []);
}

#[tokio::test]
async fn every_event_twice_has_its_effect_once() {
    let (system, order) = (System::start(), order(1));
    let placed = system.place(order, "tok_ok");
    system.orders.push_again(&placed);
    system.reach(order, PaymentState::Authorized).await;
    let secured = system.secure(order);
    system.orders.push_again(&secured);
    system.reach(order, PaymentState::Captured).await;
    system.refund(order, 5, 500_000);
    system.refund(order, 5, 500_000);
    system.reach(order, PaymentState::PartiallyRefunded).await;
    let cancelling = system.cancel(order, false);
    system.orders.push_again(&cancelling);
    system.reach(order, PaymentState::Refunded).await;
    for event in [placed, secured, cancelling] {
        system.orders.push_again(&event);
    }
    system.caught_up().await;
    assert_eq!(
        system.events(order),
        [
            "initiated",
            "authorized",
            "captured",
            "refunded",
            "refunded"
        ]
    );
    let charge = system.provider.charge(order.payment);
    assert_eq!(charge.capture_keys.len(), 1);
    assert_eq!(charge.authorize_keys.len(), 1);
    assert_eq!(charge.refunded_minor(), TOTAL_MINOR);
}

#[tokio::test]
async fn what_was_in_flight_when_the_process_ended_is_finished_by_the_next_one() {
    let (mut system, order) = (System::start(), order(1));
    system.place(order, "tok_ok");
    system.reach(order, PaymentState::Authorized).await;
    for _ in 0..2 {
        system.provider.trick(Operation::Capture, Trick::LoseAnswer);
    }
    system.secure(order);
    system
        .when(order, "an unknown capture", |payment| {
            !payment.attempts.is_empty()
        })
        .await;
    system.restart().await;
    system.reach(order, PaymentState::Captured).await;
    assert_eq!(system.provider.charge(order.payment).capture_keys.len(), 1);
}

#[tokio::test]
async fn an_outage_costs_nothing_but_time() {
    let (system, order) = (System::start(), order(1));
    for operation in [Operation::Authorize, Operation::LookUp] {
        for _ in 0..8 {
            system.provider.trick(operation, Trick::LoseRequest);
        }
    }
    system.place(order, "tok_ok");
    let payment = system.reach(order, PaymentState::Authorized).await;
    assert!(payment.attempts[0].failures >= 8, "{:?}", payment.attempts);
    assert_eq!(system.events(order), ["initiated", "authorized"]);
}

#[tokio::test]
async fn once_the_key_may_be_forgotten_nothing_is_created_again() {
    let (system, order) = (System::start(), order(1));
    system
        .provider
        .trick(Operation::Authorize, Trick::LoseRequest);
    for _ in 0..6 {
        system.provider.trick(Operation::LookUp, Trick::LoseRequest);
    }
    system.place(order, "tok_ok");
    system
        .when(order, "an unknown result", |payment| {
            payment
                .attempts
                .first()
                .is_some_and(|attempt| attempt.failures >= 2)
        })
        .await;
    system
        .test
        .advance(std::time::Duration::from_secs(24 * 60 * 60));
    let payment = system.reach(order, PaymentState::Declined).await;
    assert_eq!(payment.payment.reason.as_deref(), Some("expired"));
    let authorized = system.provider.calls(order.payment);
    let authorized = authorized
        .iter()
        .filter(|call| **call == Operation::Authorize);
    assert_eq!(authorized.count(), 1);
}

#[tokio::test]
async fn an_action_that_nobody_does_lapses() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_action");
    system.reach(order, PaymentState::RequiresAction).await;
    system.test.advance(std::time::Duration::from_secs(600));
    let voided: PaymentVoided = system.next(order).await;
    assert_eq!(voided.reason, VoidReason::Lapsed);
    assert!(system.provider.charge(order.payment).voided);
}

#[tokio::test]
async fn an_action_whose_notice_is_lost_is_found_by_looking_it_up() {
    let (system, order) = (System::start(), order(1));
    system.place(order, "tok_action");
    system.reach(order, PaymentState::RequiresAction).await;
    system.provider.change(order.payment, |charge| {
        (charge.acting, charge.held) = (false, true);
    });
    system.reach(order, PaymentState::Authorized).await;
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_answer() {
    use pasar_contracts::api::payments::ProviderAnswer;
    let (system, order) = (System::start(), order(1));
    for answer in [ProviderAnswer::Refunded, ProviderAnswer::NotFound] {
        system
            .provider
            .trick(Operation::Authorize, Trick::Say(answer));
    }
    system.place(order, "tok_ok");
    let payment = system.reach(order, PaymentState::Authorized).await;
    assert_eq!(payment.attempts[0].failures, 2);
    assert!(payment.attempts[0].last_error.contains("to authorize"));
}
