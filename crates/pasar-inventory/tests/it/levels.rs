//! Stock over HTTP: intakes, counts, write-offs, the ledger.

use serde_json::{Value, json};

use crate::system::{System, order};

const INTAKES: &str = "/v1/stock/tea/intakes";
const ADJUSTMENTS: &str = "/v1/stock/tea/adjustments";

async fn count(system: &System, key: &str, on_hand: i64) -> crate::system::Answer {
    let body = json!({ "kind": "count", "on_hand": on_hand, "reason": "evening count" });
    system.post(ADJUSTMENTS, key, body).await
}

#[tokio::test]
async fn an_intake_with_the_same_key_happens_once_and_answers_the_same() {
    let system = System::start().await;
    system.product("tea", true).await;
    let body = json!({ "quantity": 5, "note": "delivery 4711" });
    let first = system.post(INTAKES, "k", body.clone()).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.body["number"], 1);
    let again = system.post(INTAKES, "\"k\"", body).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    let other = system.post(INTAKES, "k", json!({ "quantity": 6 })).await;
    assert_eq!(other.status, 422);
    assert_eq!(other.body["type"], "/problems/idempotency-key-reused");
    assert_eq!(system.level("tea").await, [5, 0, 5]);
}

#[tokio::test]
async fn a_refusal_with_the_same_key_is_repeated_too() {
    let system = System::start().await;
    let missing = system.post(INTAKES, "k", json!({ "quantity": 5 })).await;
    assert_eq!(missing.status, 404);
    system.product("tea", true).await;
    let again = system.post(INTAKES, "k", json!({ "quantity": 5 })).await;
    assert_eq!(again.status, 404, "a new intention has a new key");
    assert_eq!(system.level("tea").await, [0, 0, 0]);
}

#[tokio::test]
async fn the_ledger_tells_what_came_and_went_the_latest_first() {
    let system = System::start().await;
    system.stocked("tea", 10).await;
    system.place(1, &[("tea", 2)]).await;
    system.tell(system.confirmed(1)).await;
    system.heard("stock.sold.v1", 1).await;
    count(&system, "count", 7).await;
    let spilled = json!({ "kind": "write_off", "quantity": 3, "reason": "spilled" });
    system.post(ADJUSTMENTS, "spilled", spilled).await;
    let page = system.get("/v1/stock/tea/movements?limit=3").await;
    let told: Vec<String> = page.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            format!(
                "{} {} {} {}",
                m["number"], m["kind"], m["change"], m["on_hand"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "4 \"write_off\" -3 4",
            "3 \"count\" -1 7",
            "2 \"sale\" -2 8"
        ]
    );
    assert_eq!(page.body["items"][2]["order_id"], order(1).to_string());
    assert!(
        page.body["items"][0]["actor"]
            .as_str()
            .unwrap()
            .starts_with("user:")
    );
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = system
        .get(&format!("/v1/stock/tea/movements?limit=3&cursor={cursor}"))
        .await;
    assert_eq!(rest.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest.body.get("next_cursor"), None);
    assert_eq!(system.get("/v1/stock/coffee/movements").await.status, 404);
}

#[tokio::test]
async fn a_count_below_what_orders_hold_names_them() {
    let system = System::start().await;
    system.stocked("tea", 5).await;
    system.place(1, &[("tea", 3)]).await;
    system.heard("stock.reserved.v1", 1).await;
    let refused = count(&system, "low", 2).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.body["type"], "/problems/count-below-reserved");
    assert_eq!(refused.body["orders"], json!([order(1).to_string()]));
    let lost = json!({ "kind": "write_off", "quantity": 3, "reason": "spilled" });
    assert_eq!(system.post(ADJUSTMENTS, "lost", lost).await.status, 409);
    assert_eq!(count(&system, "enough", 3).await.status, 201);
    assert_eq!(system.level("tea").await, [3, 3, 0]);
}

#[tokio::test]
async fn what_nobody_counts_has_no_stock_to_change() {
    let system = System::start().await;
    system.product("tea", false).await;
    let intake = system.post(INTAKES, "k", json!({ "quantity": 5 })).await;
    assert_eq!(intake.status, 409);
    assert_eq!(intake.body["type"], "/problems/not-counted");
    assert_eq!(
        count(&system, "c", 5).await.body["type"],
        "/problems/not-counted"
    );
    assert_eq!(system.get("/v1/stock/tea").await.body["track_stock"], false);
}

#[tokio::test]
async fn quantities_that_cannot_be_are_refused() {
    let system = System::start().await;
    system.product("tea", true).await;
    let intakes: [Value; 9] = [
        json!({ "quantity": 0 }),
        json!({ "quantity": -1 }),
        json!({ "quantity": 1.5 }),
        json!({ "quantity": "1" }),
        json!({ "quantity": 1_000_001 }),
        json!({ "quantity": 9_223_372_036_854_775_807_i64 }),
        json!({}),
        json!({ "quantity": 1, "on_hand": 1 }),
        json!({ "quantity": 1, "note": "" }),
    ];
    for (n, body) in intakes.into_iter().enumerate() {
        let answer = system.post(INTAKES, &format!("i{n}"), body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
    }
    for on_hand in [-1, i64::MIN, 1_000_000_000_001, i64::MAX] {
        let answer = count(&system, &format!("c{on_hand}"), on_hand).await;
        assert_eq!(answer.body["errors"][0]["field"], "on_hand");
    }
    assert_eq!(count(&system, "most", 1_000_000_000_000).await.status, 201);
    let more = system.post(INTAKES, "more", json!({ "quantity": 1 })).await;
    assert_eq!(more.status, 422);
    let nowhere = json!({ "quantity": 1, "location": "loc_01h455vb4pex5vsknk084sn02q" });
    let answer = system.post(INTAKES, "nowhere", nowhere).await;
    assert_eq!(answer.body["errors"][0]["field"], "location");
}

#[tokio::test]
async fn a_change_of_stock_needs_a_key() {
    use http::Method;
    use pasar_contracts::api::users::Role;

    let system = System::start().await;
    for path in [INTAKES, ADJUSTMENTS] {
        let body = Some(json!({ "quantity": 1 }));
        let answer = system
            .call(Method::POST, path, Some(Role::Staff), body, &[])
            .await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body["type"], "/problems/idempotency-key-missing");
    }
}

#[tokio::test]
async fn a_product_that_is_no_longer_counted_keeps_its_books_for_later() {
    let system = System::start().await;
    system.stocked("tea", 3).await;
    system.place(1, &[("tea", 2)]).await;
    system.heard("stock.reserved.v1", 1).await;
    system.product("tea", false).await;
    system.place(2, &[("tea", 100)]).await;
    system.heard("stock.reserved.v1", 2).await;
    system.tell(system.confirmed(1)).await;
    system.tell(system.confirmed(2)).await;
    system.heard("stock.sold.v1", 2).await;
    assert_eq!(system.level("tea").await, [1, 0, 1]);
    system.product("tea", true).await;
    system.place(3, &[("tea", 2)]).await;
    system.heard("stock.refused.v1", 3).await;
}
