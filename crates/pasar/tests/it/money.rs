//! Money ends where it belongs, counted in the provider's own books.

use pasar_contracts::event::Service;
use pasar_payments::sandbox;
use pasar_store::inspect::Inspector;
use pasar_types::id::OrderId;
use serde_json::{Value, json};

use crate::{
    api::{Api, cash_order_of, fresh_key, order_of},
    system::System,
};

/// What the provider says of an order.
#[derive(Debug, PartialEq, Eq)]
struct Charge {
    authorizations: i64,
    captures: i64,
    captured: i64,
    refunded: i64,
}

/// Reads the provider's books, past everything that Pasar believes.
fn charge(system: &System, order: &Value) -> Charge {
    let place = system.folder().place(sandbox::NAME);
    let books = Inspector::open(Service::Payments, place, sandbox::MIGRATIONS).unwrap();
    let id: OrderId = order["id"].as_str().unwrap().parse().unwrap();
    let read = books.read(|tx| {
        tx.query_one(
            "SELECT authorizations, captures, captured_minor, refunded_minor FROM charge
             WHERE reference = ?1",
            &[&id],
            |row| {
                Ok(Charge {
                    authorizations: row.get(0)?,
                    captures: row.get(1)?,
                    captured: row.get(2)?,
                    refunded: row.get(3)?,
                })
            },
        )
    });
    read.unwrap()
}

async fn cancel(api: &Api, order: &Value) -> Value {
    let id = order["id"].as_str().unwrap();
    let answer = api
        .post(&format!("/v1/orders/{id}/cancel"), &json!({}))
        .await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    api.settled(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_cancelled_while_it_is_captured_pays_nothing_in_the_end() {
    let system = System::start_with("[payments.sandbox]\ndelay_ms = 5");
    let (customer, staff) = (system.api("CUSTOMER"), system.api("STAFF"));
    staff.product("race-tea", 1_000).await;
    let mut given_back = 0;
    for step in 0..30 {
        let placed = customer
            .order(0, &order_of(&[("race-tea", 1)], "tok_ok"))
            .await
            .expect(201);
        // Each a little later than the one before, so that some meet the capture.
        tokio::time::sleep(std::time::Duration::from_millis(step)).await;
        let order = cancel(&staff, &placed).await;
        assert_eq!(order["state"], "cancelled");
        let charge = charge(&system, &order);
        assert!(
            charge.captures <= 1 && charge.authorizations <= 1,
            "{charge:?}"
        );
        assert_eq!(charge.captured, charge.refunded, "{order:#}");
        given_back += i64::from(charge.captures == 1);
    }
    assert!(
        given_back > 0,
        "no cancel came after a capture: nothing was shown"
    );
    system.quiet().await;
    assert_eq!(staff.stock("race-tea").await, (1_000, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_whose_answer_is_lost_is_found_and_given_back_when_cancelled() {
    let system = System::start_with("[payments.retry]\nfirst_ms = 200\nmost_ms = 1000");
    let (customer, staff) = (system.api("CUSTOMER"), system.api("STAFF"));
    staff.product("lost-tea", 10).await;
    let order = order_of(&[("lost-tea", 1)], "tok_capture_timeout");
    let placed = customer.order(0, &order).await.expect(201);
    let cancelled = cancel(&customer, &placed).await;
    assert_eq!(cancelled["state"], "cancelled");
    let books = charge(&system, &cancelled);
    assert!(books.captures <= 1, "{books:?}");
    assert_eq!(books.captured, books.refunded);

    let placed = customer.order(20, &order).await.expect(201);
    let kept = staff.settled(placed["id"].as_str().unwrap()).await;
    assert_eq!(
        kept["state"], "confirmed",
        "looked up instead of captured again"
    );
    let total = kept["total"]["amount_minor"].as_i64().unwrap();
    let once = Charge {
        authorizations: 1,
        captures: 1,
        captured: total,
        refunded: 0,
    };
    assert_eq!(charge(&system, &kept), once);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_never_exceed_what_was_captured() {
    let system = System::start();
    let (customer, staff) = (system.api("CUSTOMER"), system.api("STAFF"));
    staff.product("back-tea", 10).await;
    let order = customer
        .order(5, &order_of(&[("back-tea", 2)], "tok_ok"))
        .await
        .expect(201);
    let id = order["id"].as_str().unwrap();
    let path = format!("/v1/orders/{id}/refunds");
    let one_line = json!({ "lines": [{ "sku": "back-tea", "quantity": 1 }], "restock": true, "reason": "cold" });
    staff.post(&path, &one_line).await.expect_success();
    let too_much =
        json!({ "amount": { "amount_minor": 3_000_000, "currency": "IDR" }, "reason": "x" });
    let refused = staff.post(&path, &too_much).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (409, "refund-exceeds-captured")
    );
    let refunded = loop {
        let order = staff.get(&format!("/v1/orders/{id}")).await.expect(200);
        if order["payment"]["state"] == "partially_refunded" {
            break order;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(charge(&system, &refunded).refunded, 1_500_000);
    system.quiet().await;
    assert_eq!(staff.stock("back-tea").await, (9, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_one_order_and_with_another_body_a_refusal() {
    let system = System::start();
    let customer = system.api("CUSTOMER");
    system.api("STAFF").product("key-tea", 10).await;
    let (key, order) = (fresh_key(), order_of(&[("key-tea", 1)], "tok_ok"));
    let twice = futures_util::future::join_all(
        (0..10).map(|_| customer.post_again("/v1/orders", &key, &order)),
    );
    let ids: std::collections::BTreeSet<String> = twice
        .await
        .into_iter()
        .map(|answer| answer.expect(201)["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let quoted = customer
        .post_again("/v1/orders", &format!("\"{key}\""), &order)
        .await;
    assert_eq!(
        quoted.expect(201)["id"].as_str(),
        ids.first().map(String::as_str)
    );
    let other = order_of(&[("key-tea", 2)], "tok_ok");
    let reused = customer.post_again("/v1/orders", &key, &other).await;
    assert_eq!(
        (reused.status, reused.problem()),
        (422, "idempotency-key-reused")
    );
    let missing = customer
        .request(reqwest::Method::POST, "/v1/orders")
        .json(&order);
    let missing = crate::api::send(missing).await;
    assert_eq!(
        (missing.status, missing.problem()),
        (400, "idempotency-key-missing")
    );
    system.api("STAFF").settled(ids.first().unwrap()).await;
    system.quiet().await;
    assert_eq!(system.api("STAFF").stock("key-tea").await, (9, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_is_due_until_it_is_taken_at_the_counter() {
    let system = System::start();
    let (customer, staff) = (system.api("CUSTOMER"), system.api("STAFF"));
    staff.product("cash-tea", 10).await;
    let order = customer
        .order(5, &cash_order_of(&[("cash-tea", 1)]))
        .await
        .expect(201);
    assert_eq!(
        (&order["state"], &order["payment"]["state"]),
        (&json!("confirmed"), &json!("due"))
    );
    let id = order["id"].as_str().unwrap();
    let unpaid = staff
        .post(&format!("/v1/orders/{id}/start"), &json!({}))
        .await;
    assert_eq!((unpaid.status, unpaid.problem()), (409, "state-forbids"));
    let payments = staff
        .get(&format!("/v1/payments?order_id={id}"))
        .await
        .expect(200);
    let payment = payments["items"][0]["id"].as_str().unwrap();
    staff
        .post(&format!("/v1/payments/{payment}/capture"), &json!({}))
        .await
        .expect_success();
    loop {
        let answer = staff
            .post(&format!("/v1/orders/{id}/start"), &json!({}))
            .await;
        if answer.status == 200 {
            break;
        }
        assert_eq!(answer.problem(), "state-forbids");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let balances = staff.get("/v1/ledger/balances").await.expect(200);
    let sum: i64 = balances["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["balance"]["amount_minor"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, 0, "{balances:#}");
}
