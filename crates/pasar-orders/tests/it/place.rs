use std::time::Duration;

use futures_util::future::join_all;
use pasar_contracts::events::{
    orders::{OrderPlaced, PaymentToken},
    payments::{NextAction, PaymentRequiresAction},
};
use pasar_orders::config::Config;
use pasar_testkit::identities::{kiosk, staff};
use serde_json::json;

use crate::counter::{Counter, TEA, ann, ben, here, idr, payment, product, tea};

#[tokio::test]
async fn an_order_is_placed_at_once_with_its_address_and_version() {
    let counter = Counter::open().await;
    let answer = counter.post_order(ann(), &tea()).await.expect(201);
    let order = answer.value();
    let id = order["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(&*format!("/v1/orders/{id}"))
    );
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    assert_eq!(answer.header("preference-applied"), None);
    assert_eq!(order["state"], "placed");
    assert_eq!(
        order["payment"],
        json!({"state": "pending", "method": "sandbox"})
    );
    assert_eq!(order["number"], 1);
    assert_eq!(order["total"]["amount_minor"], TEA);
    assert_eq!(order["tax"]["amount_minor"], 148_649);
    assert_eq!(order["subtotal"]["amount_minor"], TEA - 148_649);
    assert_eq!(order["lines"][0]["name"], "tea");
    assert_eq!(order["customer_id"], ann().user_id().unwrap().to_string());
    let prefix = "https://pasar.test/v1/watch/";
    assert!(order["watch_url"].as_str().unwrap().starts_with(prefix));
}

#[tokio::test]
async fn the_token_reaches_payments_and_nobody_else() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let event = counter.probe.next().await;
    assert_eq!(
        event.decode_private::<PaymentToken>().unwrap().token,
        "tok_ok"
    );
    assert!(!event.data.contains("tok_ok"));
    let shown = counter.get(staff(), id).await.text();
    assert!(!shown.contains("tok_ok"), "{shown}");
}

#[tokio::test]
async fn prefer_wait_answers_as_soon_as_the_order_is_confirmed() {
    let mut counter = Counter::open().await;
    let call = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key("k")
        .header("prefer", "wait=5");
    let answer = tokio::spawn(call.json(&tea()).send());
    let placed = counter.probe.next().await.decode::<OrderPlaced>().unwrap();
    counter.reserve(crate::counter::id_of(&placed));
    counter.pay(crate::counter::id_of(&placed));
    let answer = answer.await.unwrap().expect(201);
    assert_eq!(answer.header("preference-applied"), Some("wait=5"));
    assert_eq!(answer.value()["state"], "confirmed");
    assert_eq!(answer.value()["payment"]["state"], "captured");
    assert_eq!(answer.header("etag"), Some("\"v4\""));
}

#[tokio::test]
async fn prefer_wait_answers_after_its_time_as_the_order_stands() {
    let counter = Counter::open().await;
    let call = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key("k")
        .header("prefer", "wait=3");
    let answer = counter.in_time(call.json(&tea()).send()).await.expect(201);
    assert_eq!(answer.value()["state"], "placed");
}

#[tokio::test]
async fn prefer_wait_answers_when_the_customer_must_act_and_says_how() {
    let mut counter = Counter::open().await;
    let call = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key("k")
        .header("prefer", "wait=60");
    let answer = tokio::spawn(call.json(&tea()).send());
    let placed = counter.probe.next().await.decode::<OrderPlaced>().unwrap();
    let id = crate::counter::id_of(&placed);
    let expires_at = counter.payments.now();
    let action = NextAction::Redirect {
        url: "https://pay.example/1".to_owned(),
        expires_at,
    };
    let required = PaymentRequiresAction {
        payment: payment(id),
        expires_at,
    };
    counter
        .payments
        .push_private(&id.to_string(), 2, &required, &action);
    let order = answer.await.unwrap().expect(201).value();
    assert_eq!(order["payment"]["state"], "requires_action");
    assert_eq!(
        order["payment"]["next_action"]["url"],
        "https://pay.example/1"
    );
    counter.pay(id);
    counter.reserve(id);
    counter
        .next::<pasar_contracts::events::orders::OrderConfirmed>(id)
        .await;
    let order = counter.get(ann(), id).await.value();
    assert_eq!(order["payment"].get("next_action"), None);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_those_who_wait() {
    let counter = Counter::open().await;
    let call = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key("k")
        .header("prefer", "wait=60");
    let (answer, ()) = tokio::join!(call.json(&tea()).send(), async {
        counter.a_while().await;
        counter.host.drain().await;
    });
    assert_eq!(answer.expect(201).value()["state"], "placed");
}

#[tokio::test]
async fn the_same_key_is_the_same_order_even_at_the_same_time() {
    let counter = Counter::open().await;
    let calls = (0..20).map(|_| {
        let call = counter.client.post("/v1/orders").as_(ann()).key("k");
        call.json(&tea()).send()
    });
    let answers = join_all(calls).await;
    let first = answers[0].value()["id"].clone();
    for answer in answers {
        assert_eq!(answer.expect(201).value()["id"], first);
    }
    assert_eq!(counter.store.head(), 1, "one order was told");
    let quoted = counter.client.post("/v1/orders").as_(ann()).key("\"k\"");
    assert_eq!(
        quoted.json(&tea()).send().await.expect(201).value()["id"],
        first
    );
    let mut other = tea();
    other["note"] = json!("another");
    let reused = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key("k")
        .json(&other)
        .send()
        .await;
    assert_eq!(reused.expect(422).problem(), "idempotency-key-reused");
    let bens = counter
        .client
        .post("/v1/orders")
        .as_(ben())
        .key("k")
        .json(&tea())
        .send()
        .await;
    assert_ne!(bens.expect(201).value()["id"], first);
}

#[tokio::test]
async fn a_repeat_answers_with_the_order_as_it_stands_now() {
    let mut counter = Counter::open().await;
    let post = || {
        counter
            .client
            .post("/v1/orders")
            .as_(ann())
            .key("k")
            .json(&tea())
    };
    let id = post().send().await.expect(201).value()["id"].clone();
    let id = id.as_str().unwrap().parse().unwrap();
    let repeat = post().header("prefer", "wait=30");
    counter.reserve(id);
    counter.pay(id);
    counter
        .next::<pasar_contracts::events::orders::OrderConfirmed>(id)
        .await;
    assert_eq!(
        repeat.send().await.expect(201).value()["state"],
        "confirmed"
    );
}

#[tokio::test]
async fn refusals_say_what_to_do_next() {
    let counter = Counter::open().await;
    let refused = async |change: &dyn Fn(&mut serde_json::Value)| {
        let mut body = tea();
        change(&mut body);
        let answer = counter.post_order(ann(), &body).await;
        (answer.status.as_u16(), answer.problem(), answer.value())
    };
    let (status, problem, body) = refused(&|o| o["expected_total"] = json!(idr(1))).await;
    assert_eq!((status, &*problem), (409, "price-changed"));
    assert_eq!(body["total"]["amount_minor"], TEA);
    let (status, problem, body) =
        refused(&|o| o["lines"] = json!([{"sku": "durian", "quantity": 1}])).await;
    assert_eq!((status, &*problem), (422, "unknown-sku"));
    assert_eq!(body["skus"], json!(["durian"]));
    let nowhere = "loc_01h455vb4pex5vsknk084sn02q";
    let (status, problem, body) = refused(&|o| o["location"] = json!(nowhere)).await;
    assert_eq!((status, &*problem), (422, "validation-failed"));
    assert_eq!(body["errors"][0]["field"], "location");
    for (field, value) in [
        ("status", json!("confirmed")),
        ("price_minor", json!(1)),
        ("customer_id", json!(ben().user_id().unwrap().to_string())),
    ] {
        let (status, problem, body) = refused(&|o| o[field] = value.clone()).await;
        assert_eq!((status, &*problem), (422, "validation-failed"));
        assert_eq!(body["errors"][0]["field"], field);
    }
    for quantity in [
        json!(0),
        json!(-1),
        json!(1_000_001),
        json!(1.5),
        json!("1"),
    ] {
        let (status, _, body) = refused(&|o| o["lines"][0]["quantity"] = quantity.clone()).await;
        assert_eq!(status, 422, "{quantity}");
        assert_eq!(body["errors"][0]["field"], "lines[0].quantity");
    }
    let (status, ..) = refused(&|o| o["lines"] = json!([])).await;
    assert_eq!(status, 422);
    assert_eq!(counter.store.head(), 0, "nothing was told");
}

#[tokio::test]
async fn a_product_that_was_just_made_can_be_ordered() {
    let counter = Counter::open().await;
    counter.place(ann(), &tea()).await;
    let mut body = tea();
    body["lines"][0]["sku"] = json!("durian");
    counter
        .inventory
        .push("product:durian", 1, &product("durian", 7));
    counter.post_order(ann(), &body).await.expect(201);
}

#[tokio::test]
async fn a_key_is_required_and_refused_if_it_is_none() {
    let counter = Counter::open().await;
    let without = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .json(&tea())
        .send()
        .await;
    assert_eq!(without.expect(400).problem(), "idempotency-key-missing");
    let long = counter
        .client
        .post("/v1/orders")
        .as_(ann())
        .key(&"x".repeat(256));
    long.json(&tea()).send().await.expect(400);
}

#[tokio::test]
async fn a_customer_has_a_limited_number_of_unsettled_orders_and_others_have_not() {
    let config = Config {
        most_unsettled_per_customer: 2,
        ..Config::default()
    };
    let counter = Counter::open_with(config).await;
    counter.place(ann(), &tea()).await;
    let second = counter.place(ann(), &tea()).await;
    let refused = counter.post_order(ann(), &tea()).await.expect(429);
    assert_eq!(refused.problem(), "too-many-unsettled-orders");
    assert_eq!(refused.header("retry-after"), Some("1"));
    counter.place(ben(), &tea()).await;
    let mut unlimited = ann();
    unlimited.unlimited = true;
    counter.place(unlimited, &tea()).await;
    for _ in 0..3 {
        counter.place(kiosk(), &tea()).await;
    }
    let kiosks = counter.place(kiosk(), &tea()).await;
    let order = counter.get(staff(), kiosks).await.expect(200).value();
    assert_eq!(order.get("customer_id"), None);
    assert_eq!(counter.state(second).await, "placed pending");
}

#[tokio::test]
async fn no_new_orders_are_taken_while_too_many_are_in_flight() {
    let config = Config {
        most_unsettled: 2,
        ..Config::default()
    };
    let mut counter = Counter::open_with(config).await;
    let first = counter.place(ann(), &tea()).await;
    counter.place(ben(), &tea()).await;
    let refused = counter.post_order(kiosk(), &tea()).await.expect(503);
    assert_eq!(refused.problem(), "overloaded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    counter.reserve(first);
    counter.pay(first);
    counter
        .next::<pasar_contracts::events::orders::OrderConfirmed>(first)
        .await;
    // The count is taken anew every quarter of a second.
    let taken = async {
        loop {
            if counter.post_order(kiosk(), &tea()).await.status == 201 {
                break;
            }
            counter.host.advance(Duration::from_millis(250));
            counter.a_while().await;
        }
    };
    pasar_testkit::probe::soon("room", taken).await;
}

#[tokio::test]
async fn the_named_location_gives_the_number() {
    let counter = Counter::open().await;
    let mut body = tea();
    body["location"] = json!(here().to_string());
    counter.place(ann(), &body).await;
    let order = counter.post_order(ann(), &tea()).await.expect(201).value();
    assert_eq!(order["number"], 2);
    assert_eq!(order["location_id"], here().to_string());
}
