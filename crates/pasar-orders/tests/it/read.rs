use pasar_contracts::events::orders::{OrderConfirmed, OrderStockReserved};
use pasar_testkit::{identities::staff, probe::soon};
use serde_json::Value;

use crate::counter::{Counter, ann, ben, here, tea};

#[tokio::test]
async fn a_long_poll_answers_at_the_next_change() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let path = format!("/v1/orders/{id}");
    let get = |tag| {
        let call = counter.client.get(&path).as_(ann());
        call.header("prefer", "wait=30")
            .header("if-none-match", tag)
    };
    let waiting = tokio::spawn(get("\"v1\"").send());
    counter.reserve(id);
    let answer = soon("a change", waiting).await.unwrap().expect(200);
    assert_eq!(answer.header("etag"), Some("\"v2\""));
    assert_eq!(answer.header("preference-applied"), Some("wait=30"));
    let known = get("\"v1\"").send().await.expect(200);
    assert_eq!(known.header("etag"), Some("\"v2\""), "it need not wait");
    counter.next::<OrderStockReserved>(id).await;
}

#[tokio::test]
async fn a_long_poll_without_a_change_is_304_after_its_time() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let call = counter.client.get(&format!("/v1/orders/{id}")).as_(ann());
    let call = call
        .header("prefer", "wait=2")
        .header("if-none-match", "\"v1\"");
    let answer = counter.in_time(call.send()).await.expect(304);
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    assert!(answer.body.is_empty());
    let at_once = counter.client.get(&format!("/v1/orders/{id}")).as_(ann());
    at_once
        .header("if-none-match", "\"v1\"")
        .send()
        .await
        .expect(304);
}

#[tokio::test]
async fn waiting_without_a_version_waits_until_the_order_settles() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let call = counter.client.get(&format!("/v1/orders/{id}")).as_(ann());
    let waiting = tokio::spawn(call.header("prefer", "wait=30").send());
    counter.reserve(id);
    counter.pay(id);
    let answer = soon("an answer", waiting).await.unwrap().expect(200);
    assert_eq!(answer.value()["state"], "confirmed");
    counter.next::<OrderConfirmed>(id).await;
}

#[tokio::test]
async fn customers_list_their_own_and_staff_lists_all() {
    let mut counter = Counter::open().await;
    let anns = counter.confirmed(ann()).await;
    let bens = counter.place(ben(), &tea()).await;
    let ids = async |who, query: &str| -> Vec<String> {
        let path = format!("/v1/orders{query}");
        let page = counter
            .client
            .get(&path)
            .as_(who)
            .send()
            .await
            .expect(200)
            .value();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|order| order["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (a, b) = (anns.to_string(), bens.to_string());
    assert_eq!(ids(ann(), "").await, [&*a]);
    assert_eq!(ids(ben(), "").await, [&*b]);
    assert_eq!(ids(staff(), "").await, [&*b, &*a]);
    assert_eq!(ids(staff(), "?state=confirmed").await, [&*a]);
    assert_eq!(ids(staff(), "?state=placed").await, [&*b]);
    assert_eq!(
        ids(staff(), &format!("?location={}", here())).await,
        [&*b, &*a]
    );
    assert_eq!(ids(staff(), "?q=1").await, [&*a]);
    assert_eq!(ids(staff(), &format!("?q={b}")).await, [&*b]);
    assert_eq!(ids(ann(), &format!("?q={b}")).await, [""; 0]);
    assert_eq!(ids(ann(), "?q=2").await, [""; 0]);
    assert_eq!(ids(staff(), "?q=nonsense").await, [""; 0]);
}

#[tokio::test]
async fn pages_follow_each_other_by_their_link() {
    let counter = Counter::open().await;
    for _ in 0..5 {
        counter.place(ann(), &tea()).await;
    }
    let mut path = "/v1/orders?limit=2".to_owned();
    let mut numbers = Vec::new();
    loop {
        let answer = counter
            .client
            .get(&path)
            .as_(ann())
            .send()
            .await
            .expect(200);
        let page: Value = answer.value();
        let items = page["items"].as_array().unwrap();
        numbers.extend(items.iter().map(|order| order["number"].as_i64().unwrap()));
        let Some(link) = answer.header("link") else {
            assert_eq!(page.get("next_cursor"), None);
            break;
        };
        path = link
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap()
            .to_owned();
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused_by_name() {
    let counter = Counter::open().await;
    for query in [
        "state=open",
        "limit=0",
        "cursor=x",
        "q=",
        "location=here",
        "colour=red",
    ] {
        let path = format!("/v1/orders?{query}");
        let answer = counter.client.get(&path).as_(staff()).send().await;
        assert_eq!(answer.expect(422).problem(), "validation-failed", "{query}");
    }
    let no_order = counter
        .client
        .get("/v1/orders/ord_nonsense")
        .as_(staff())
        .send()
        .await;
    assert!(
        matches!(no_order.status.as_u16(), 400 | 404 | 422),
        "{no_order:?}"
    );
}
