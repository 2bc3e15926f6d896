use std::time::Duration;

use pasar_contracts::events::orders::OrderConfirmed;
use pasar_testkit::{identities::staff, sse::EventStream};

use crate::counter::{Counter, ann, tea};

async fn open(counter: &Counter, id: pasar_types::id::OrderId, after: Option<&str>) -> EventStream {
    let path = format!("/v1/orders/{id}/events");
    let mut call = counter.client.get(&path).as_(ann());
    if let Some(after) = after {
        call = call.header("last-event-id", after);
    }
    call.stream().await
}

/// The next so many events: id, name and state.
async fn read(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..count {
        let event = stream.next().await.expect("the stream goes on");
        let state = event.json()["state"].as_str().unwrap().to_owned();
        seen.push(format!(
            "{} {} {state}",
            event.id.unwrap(),
            event.event.unwrap()
        ));
    }
    seen
}

#[tokio::test]
async fn every_change_is_pushed_as_it_happens_until_the_end() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let mut stream = open(&counter, id, None).await;
    assert_eq!(read(&mut stream, 1).await, ["1 order.placed placed"]);
    counter.reserve(id);
    assert_eq!(
        read(&mut stream, 1).await,
        ["2 order.stock_reserved placed"]
    );
    counter.pay(id);
    assert_eq!(
        read(&mut stream, 2).await,
        ["3 order.secured placed", "4 order.confirmed confirmed"]
    );
    for step in ["start", "ready", "collect"] {
        counter.step(staff(), id, step).await.expect(200);
    }
    assert_eq!(
        read(&mut stream, 3).await,
        [
            "5 order.preparing preparing",
            "6 order.ready ready",
            "7 order.collected collected"
        ]
    );
    // What comes just after the end is still told.
    counter.sell(id);
    assert_eq!(read(&mut stream, 1).await, ["8 order.stock_sold collected"]);
    assert_eq!(counter.in_time(stream.next()).await, None);
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let mut stream = open(&counter, id, Some("3")).await;
    assert_eq!(
        read(&mut stream, 2).await,
        [
            "4 order.confirmed confirmed",
            "5 order.stock_sold confirmed"
        ]
    );
    let mut from_the_end = open(&counter, id, Some("5")).await;
    counter.step(staff(), id, "start").await.expect(200);
    assert_eq!(
        read(&mut from_the_end, 1).await,
        ["6 order.preparing preparing"]
    );
    assert_eq!(read(&mut stream, 1).await, ["6 order.preparing preparing"]);
}

#[tokio::test]
async fn nothing_is_missed_between_the_replay_and_what_is_live() {
    let mut counter = Counter::open().await;
    for _ in 0..20 {
        let id = counter.place(ann(), &tea()).await;
        counter.reserve(id);
        counter.pay(id);
        // Opened at some moment while all that happens.
        let mut stream = open(&counter, id, None).await;
        let seen = read(&mut stream, 4).await;
        let ids: Vec<_> = seen.iter().map(|event| &event[..1]).collect();
        assert_eq!(ids, ["1", "2", "3", "4"], "{seen:?}");
        counter.next::<OrderConfirmed>(id).await;
    }
}

#[tokio::test]
async fn a_stream_tells_no_token_and_nobody() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let mut stream = open(&counter, id, None).await;
    let placed = stream.next().await.unwrap();
    let anns_id = ann().user_id().unwrap().to_string();
    assert!(
        !placed.data.contains("tok_ok") && !placed.data.contains(&anns_id),
        "{placed:?}"
    );
    assert_eq!(placed.json()["lines"][0]["sku"], "tea");
    assert_eq!(placed.json()["version"], 1);
}

#[tokio::test]
async fn a_stream_of_an_order_that_has_ended_replays_and_ends() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    for step in ["start", "ready", "collect"] {
        counter.step(staff(), id, step).await.expect(200);
    }
    let mut stream = open(&counter, id, Some("6")).await;
    assert_eq!(read(&mut stream, 2).await.len(), 2);
    counter.host.advance(Duration::from_secs(1));
    assert_eq!(counter.in_time(stream.next()).await, None);
}

#[tokio::test]
async fn a_drain_ends_the_streams() {
    let mut counter = Counter::open().await;
    let id = counter.place(ann(), &tea()).await;
    let mut stream = open(&counter, id, None).await;
    read(&mut stream, 1).await;
    counter.reserve(id);
    counter.pay(id);
    counter.next::<OrderConfirmed>(id).await;
    counter.host.drain().await;
    while stream.next().await.is_some() {}
}
