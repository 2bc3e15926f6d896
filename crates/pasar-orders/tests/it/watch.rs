use std::time::Duration;

use pasar_testkit::{host::PUBLIC_URL, identities::staff, probe::soon};
use serde_json::{Value, json};

use crate::counter::{Counter, ann, tea};

/// The path of an order's link.
async fn link(counter: &Counter, id: pasar_types::id::OrderId) -> String {
    let order: Value = counter.get(staff(), id).await.expect(200).value();
    let url = order["watch_url"].as_str().unwrap();
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

#[tokio::test]
async fn a_link_shows_its_order_and_no_personal_data() {
    let mut counter = Counter::open().await;
    let mut body = tea();
    body["note"] = json!("for Ann, 0812");
    let id = counter.place(ann(), &body).await;
    let path = link(&counter, id).await;
    let answer = counter.client.get(&path).send().await.expect(200);
    let shown = answer.value();
    assert_eq!(shown["number"], 1);
    assert_eq!(shown["state"], "placed");
    let mut members: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    members.sort();
    insta::assert_snapshot!(members.join(" "), @"deadline id lines location_id number payment placed_at state total updated_at");
    counter.confirmed(ann()).await;
}

#[tokio::test]
async fn a_link_can_be_waited_on_and_streamed() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let path = link(&counter, id).await;
    let call = counter.client.get(&path).header("prefer", "wait=30");
    let waiting = tokio::spawn(call.header("if-none-match", "\"v1\"").send());
    let mut stream = counter.client.get(&format!("{path}/events")).stream().await;
    assert_eq!(stream.next().await.unwrap().event.unwrap(), "order.placed");
    counter.reserve(id);
    let answer = soon("a change", waiting).await.unwrap().expect(200);
    assert_eq!(answer.header("etag"), Some("\"v2\""));
    let event = stream.next().await.unwrap();
    assert_eq!(event.event.as_deref(), Some("order.stock_reserved"));
    assert!(event.json().get("customer_id").is_none());
}

#[tokio::test]
async fn a_link_that_was_not_made_here_leads_nowhere() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let path = link(&counter, id).await;
    let forged = format!("{}A", &path[..path.len() - 1]);
    for path in [&*forged, "/v1/watch/x", &format!("/v1/watch/{id}")] {
        counter.client.get(path).send().await.expect(404);
        counter
            .client
            .get(&format!("{path}/events"))
            .send()
            .await
            .expect(404);
    }
}

#[tokio::test]
async fn a_link_works_until_a_day_after_the_order_has_settled() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let path = link(&counter, id).await;
    counter.host.advance(Duration::from_secs(24 * 60 * 60));
    counter.client.get(&path).send().await.expect(200);
    counter.host.advance(Duration::from_secs(1));
    counter.client.get(&path).send().await.expect(404);
    counter.get(ann(), id).await.expect(200);
}
