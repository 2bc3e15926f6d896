//! The walk that the README shows: from placing to the counter, with every screen that follows it.

use serde_json::{Value, json};

use crate::{api::order_of, system::System};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_placing_to_the_counter() {
    let system = System::start();
    let (customer, staff, anyone) = (
        system.api("CUSTOMER"),
        system.api("STAFF"),
        system.anonymous(),
    );
    staff.product("walk-tea", 10).await;

    let placed = customer
        .order(5, &order_of(&[("walk-tea", 2)], "tok_ok"))
        .await
        .expect(201);
    assert_eq!(placed["state"], "confirmed");
    assert_eq!(placed["payment"]["state"], "captured");
    let number = placed["number"].as_i64().unwrap();
    assert!(number >= 1);
    let id = placed["id"].as_str().unwrap();

    let mut stream = customer.stream(&format!("/v1/orders/{id}/events")).await;
    let mut steps = Vec::new();
    for (step, state) in [
        ("start", "preparing"),
        ("ready", "ready"),
        ("collect", "collected"),
    ] {
        let path = format!("/v1/orders/{id}/{step}");
        let moved = staff.post(&path, &json!({})).await.expect(200);
        assert_eq!(moved["state"], state);
        // The stream shows it as it happens, not at the end.
        while steps.last() != Some(&format!("order.{state}")) {
            let event = stream.next().await.expect("the stream goes on");
            steps.push(event.event.expect("an event says its type"));
        }
        let board = anyone.get("/v1/board").await.expect(200);
        let shown = |list: &str| board[list].as_array().unwrap().contains(&json!(number));
        assert_eq!(shown("preparing"), state == "preparing", "{board}");
        assert_eq!(shown("ready"), state == "ready", "{board}");
    }
    assert_eq!(
        steps[0], "order.placed",
        "the stream begins at the beginning: {steps:?}"
    );
    // The goods are booked as sold beside all this, so that may be told last.
    for step in ["order.secured", "order.confirmed", "order.stock_sold"] {
        while !steps.iter().any(|shown| shown == step) {
            let event = stream.next().await;
            let event = event.unwrap_or_else(|| panic!("{step} is missing in {steps:?}"));
            steps.push(event.event.expect("an event says its type"));
        }
    }
    system.quiet().await;
    assert_eq!(staff.stock("walk-tea").await, (8, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_link_shows_one_order_to_whoever_has_it_and_nothing_else() {
    let system = System::start();
    let (customer, anyone) = (system.api("CUSTOMER"), system.anonymous());
    system.api("STAFF").product("watch-tea", 10).await;
    let order = order_of(&[("watch-tea", 1)], "tok_ok");
    let mine = customer.order(5, &order).await.expect(201);
    let other = customer.order(5, &order).await.expect(201);
    let link = mine["watch_url"].as_str().unwrap();

    let seen = anyone.get(link).await.expect(200);
    assert_eq!(
        (&seen["id"], &seen["state"]),
        (&mine["id"], &json!("confirmed"))
    );
    for private in ["customer_id", "note", "watch_url", "refunds"] {
        assert_eq!(seen[private], Value::Null, "{private} is shown");
    }
    let mut stream = anyone.stream(&format!("{link}/events")).await;
    assert_eq!(
        stream.next().await.unwrap().event.as_deref(),
        Some("order.placed")
    );

    let (base, token) = link.rsplit_once('/').unwrap();
    let altered = format!("{base}/{}", token.chars().rev().collect::<String>());
    anyone.get(&altered).await.expect(404);
    for order in [&mine, &other] {
        let id = order["id"].as_str().unwrap();
        let answer = anyone.get(&format!("/v1/orders/{id}")).await;
        assert!(matches!(answer.status, 401 | 404), "{answer:?}");
        let answer = anyone.get(&format!("/v1/orders/{id}?token={token}")).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_order_ends_when_it_changes() {
    let system = System::start();
    let customer = system.api("CUSTOMER");
    system.api("STAFF").product("slow-tea", 10).await;
    let placed = customer
        .order(0, &order_of(&[("slow-tea", 1)], "tok_slow"))
        .await;
    let placed = placed.expect(201);
    assert_eq!(placed["state"], "placed");
    let path = format!("/v1/orders/{}", placed["id"].as_str().unwrap());
    let mut changes = 0;
    let order = loop {
        let now = customer.get(&path).await;
        // It may have come to its end between two waits, and then nothing more would change.
        if now.body["state"] != "placed" {
            break now.body;
        }
        let request = customer
            .request(reqwest::Method::GET, &path)
            .header("prefer", "wait=30")
            .header("if-none-match", now.headers["etag"].clone());
        let changed = crate::api::send(request).await.expect(200);
        assert_ne!(
            changed["updated_at"], now.body["updated_at"],
            "it answered without a change"
        );
        changes += 1;
    };
    assert_eq!(order["state"], "confirmed");
    assert!(changes > 0, "nothing was waited for");
}
