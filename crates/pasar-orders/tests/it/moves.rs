use pasar_contracts::events::{
    inventory::{ReleaseKind, StockReleased},
    orders::{OrderCancelled, OrderCancelling, OrderPaymentCaptured},
    payments::{PaymentVoided, VoidReason},
};
use pasar_testkit::identities::{admin, staff};
use serde_json::json;

use crate::counter::{Counter, ann, here, payment, tea};

#[tokio::test]
async fn staff_starts_calls_and_hands_over() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    for (step, state) in [
        ("start", "preparing"),
        ("ready", "ready"),
        ("collect", "collected"),
    ] {
        let answer = counter.step(staff(), id, step).await.expect(200);
        assert_eq!(answer.value()["state"], state);
        assert!(answer.header("etag").is_some());
    }
}

#[tokio::test]
async fn a_move_that_the_state_forbids_tells_the_state() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let refused = counter.step(staff(), id, "collect").await.expect(409);
    assert_eq!(refused.problem(), "state-forbids");
    assert_eq!(refused.value()["state"], "confirmed");
    let unpaid = counter.due(ann()).await;
    let refused = counter.step(staff(), unpaid, "start").await.expect(409);
    assert_eq!(
        refused.value()["detail"],
        "the order is confirmed and not paid"
    );
}

#[tokio::test]
async fn a_version_that_is_not_the_current_one_is_not_moved() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let start = |tag| {
        let path = format!("/v1/orders/{id}/start");
        counter
            .client
            .post(&path)
            .as_(staff())
            .header("if-match", tag)
            .send()
    };
    assert_eq!(
        start("\"v4\"").await.expect(412).problem(),
        "precondition-failed"
    );
    start("\"v5\"").await.expect(200);
}

#[tokio::test]
async fn a_key_makes_a_repeated_move_answer_like_the_first() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let start = || {
        let path = format!("/v1/orders/{id}/start");
        counter.client.post(&path).as_(staff()).key("k").send()
    };
    start().await.expect(200);
    start().await.expect(200);
    counter.step(staff(), id, "start").await.expect(409);
    let other = counter.confirmed(ann()).await;
    let path = format!("/v1/orders/{other}/start");
    let reused = counter
        .client
        .post(&path)
        .as_(staff())
        .key("k")
        .send()
        .await;
    assert_eq!(reused.expect(422).problem(), "idempotency-key-reused");
}

#[tokio::test]
async fn a_cancelled_order_is_cancelled_once_both_have_answered() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    counter.reserve(id);
    counter.authorize(id);
    let answer = counter.cancel(ann(), id).await.expect(200);
    assert_eq!(answer.value()["state"], "cancelling");
    let told: OrderCancelling = counter.next(id).await;
    assert!(!told.by_staff);
    let released = StockReleased {
        order_id: id,
        location_id: here(),
        undone: ReleaseKind::Reservation,
    };
    counter.inventory.push(&id.to_string(), 2, &released);
    let voided = PaymentVoided {
        payment: payment(id),
        reason: VoidReason::Requested,
    };
    counter.payments.push(&id.to_string(), 3, &voided);
    counter.next::<OrderCancelled>(id).await;
    let order = counter.get(ann(), id).await.value();
    assert_eq!(order["state"], "cancelled");
    assert_eq!(order["payment"]["state"], "voided");
    assert_eq!(
        order["cancellation"],
        json!({"reason": "cancelled_by_customer"})
    );
    counter.cancel(ann(), id).await.expect(200);
}

#[tokio::test]
async fn a_cancel_needs_a_key_and_only_known_fields() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let path = format!("/v1/orders/{id}/cancel");
    let without = counter.client.post(&path).as_(ann()).send().await;
    assert_eq!(without.expect(400).problem(), "idempotency-key-missing");
    let call = counter.client.post(&path).as_(ann()).key("k");
    call.json(&json!({"refund": true})).send().await.expect(422);
    let call = counter.client.post(&path).as_(ann()).key("k");
    call.json(&json!({})).send().await.expect(200);
}

#[tokio::test]
async fn only_staff_cancels_what_was_paid_in_cash_or_is_being_made() {
    let mut counter = Counter::open().await;
    let paid = counter.due(ann()).await;
    counter.capture(paid);
    counter.next::<OrderPaymentCaptured>(paid).await;
    counter.cancel(ann(), paid).await.expect(409);
    let answer = counter.cancel(admin(), paid).await.expect(200);
    assert_eq!(answer.value()["state"], "cancelling");
    let told: OrderCancelling = counter.next(paid).await;
    assert!(told.by_staff, "which states that the cash was handed back");
    let started = counter.confirmed(ann()).await;
    counter.step(staff(), started, "start").await.expect(200);
    counter.cancel(ann(), started).await.expect(409);
    let path = format!("/v1/orders/{started}/cancel");
    let call = counter.client.post(&path).as_(staff()).key("restock");
    call.json(&json!({"restock": true}))
        .send()
        .await
        .expect(200);
    assert!(counter.next::<OrderCancelling>(started).await.restock);
}
