use std::time::Duration;

use pasar_contracts::events::{
    orders::{OrderRefundFailed, OrderRefundRequested, OrderRefunded},
    payments::{PaymentRefundFailed, PaymentRefunded},
};
use pasar_testkit::{client::Answer, identities::staff};
use pasar_types::id::OrderId;
use serde_json::{Value, json};

use crate::counter::{Counter, TEA, ann, idr, payment};

async fn refund(counter: &Counter, order: OrderId, key: &str, body: &Value) -> Answer {
    let path = format!("/v1/orders/{order}/refunds");
    counter
        .client
        .post(&path)
        .as_(staff())
        .key(key)
        .json(body)
        .send()
        .await
}

#[tokio::test]
async fn a_refund_is_requested_once_and_its_end_is_shown_beside_the_order() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let body = json!({"amount": idr(500_000), "reason": "cold"});
    let answer = refund(&counter, id, "k", &body).await.expect(201);
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/v1/orders/{id}"))
    );
    assert_eq!(answer.value()["state"], "requested");
    let again = refund(&counter, id, "k", &body).await.expect(201);
    assert_eq!(again.value()["id"], answer.value()["id"]);
    let told: OrderRefundRequested = counter.next(id).await;
    assert_eq!(told.amount, idr(500_000));
    let refunded = PaymentRefunded {
        payment: payment(id),
        refund_id: told.refund_id,
        amount: told.amount,
        refunded_total: told.amount,
        in_full: false,
    };
    counter.payments.push(&id.to_string(), 4, &refunded);
    counter.next::<OrderRefunded>(id).await;
    let order = counter.get(ann(), id).await.value();
    assert_eq!(order["state"], "confirmed");
    assert_eq!(order["payment"]["state"], "partially_refunded");
    assert_eq!(order["refunds"][0]["state"], "succeeded");
    let repeated = refund(&counter, id, "k", &body).await.expect(201);
    assert_eq!(
        repeated.value()["state"],
        "succeeded",
        "the state is current"
    );
}

#[tokio::test]
async fn lines_are_given_back_at_their_price_and_told_to_inventory() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let lines = json!([{"sku": "tea", "quantity": 1}]);
    let body = json!({"lines": lines, "restock": true, "reason": "wrong"});
    let answer = refund(&counter, id, "k", &body).await.expect(201).value();
    assert_eq!(answer["amount"]["amount_minor"], TEA);
    assert_eq!(answer["lines"], lines);
    let told: OrderRefundRequested = counter.next(id).await;
    assert_eq!(told.restock.len(), 1);
}

#[tokio::test]
async fn what_is_evidently_too_much_is_refused_with_what_is_left() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let all = json!({"amount": idr(TEA), "reason": "cold"});
    refund(&counter, id, "1", &all).await.expect(201);
    let refused = refund(&counter, id, "2", &all).await.expect(409);
    assert_eq!(refused.problem(), "refund-exceeds-captured");
    assert_eq!(refused.value()["refundable"]["amount_minor"], 0);
    let two = json!({"lines": [{"sku": "tea", "quantity": 2}], "reason": "cold"});
    assert_eq!(
        refund(&counter, id, "3", &two).await.expect(422).problem(),
        "validation-failed"
    );
    let told: OrderRefundRequested = counter.next(id).await;
    let failed = PaymentRefundFailed {
        payment: payment(id),
        refund_id: told.refund_id,
        amount: told.amount,
        reason: "account_closed".to_owned(),
    };
    counter.payments.push(&id.to_string(), 4, &failed);
    counter.next::<OrderRefundFailed>(id).await;
    counter.host.advance(Duration::from_millis(1));
    refund(&counter, id, "4", &all).await.expect(201);
    let order = counter.get(staff(), id).await.value();
    let states: Vec<_> = order["refunds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["state"])
        .collect();
    assert_eq!(states, ["failed", "requested"]);
}

#[tokio::test]
async fn nothing_is_given_back_for_what_was_not_captured() {
    let mut counter = Counter::open().await;
    let id = counter.due(ann()).await;
    let body = json!({"amount": idr(1), "reason": "cold"});
    let refused = refund(&counter, id, "k", &body).await.expect(409);
    assert_eq!(refused.problem(), "state-forbids");
    for body in [
        json!({"reason": "cold"}),
        json!({"amount": idr(0), "reason": "cold"}),
        json!({"amount": idr(-5), "reason": "cold"}),
        json!({"amount": idr(1)}),
        json!({"amount": idr(1), "reason": "cold", "to": "me"}),
    ] {
        refund(&counter, id, "x", &body).await.expect(422);
    }
}
