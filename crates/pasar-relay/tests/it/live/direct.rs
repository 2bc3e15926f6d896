//! Server-sent events straight onto sockets: many readers, and readers that stall.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use pasar_testkit::{identities::admin, probe::soon};
use serde_json::json;
use tokio::io::{AsyncReadExt, DuplexStream};

use super::system::{Handed, System};

async fn listen(system: &System, path: &str) -> Handed {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (response, handed) = system.hand_over(request, admin()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    handed.unwrap()
}

/// Reads until an event has these data.
async fn until(socket: &mut DuplexStream, data: &str) -> String {
    let wanted = format!("data: {data}\n\n");
    let mut read = String::new();
    let reading = async {
        let mut buffer = vec![0; 64 * 1024];
        while !read.ends_with(&wanted) {
            let length = socket.read(&mut buffer).await.unwrap();
            assert_ne!(length, 0, "closed after {read}");
            read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    };
    soon("the event", reading).await;
    read
}

fn positions(read: &str) -> Vec<i64> {
    let events = read.split("\n\n").filter(|event| event.contains("data:"));
    let ids = events.filter_map(|event| event.strip_prefix("id: ")?.split_once('\n'));
    ids.map(|(id, _)| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn every_reader_gets_every_message_once_and_in_order() {
    let system = System::start().await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(listen(&system, "/v1/streams/client?format=data").await);
    }
    for number in 1..=500 {
        system.post(number).await;
    }
    for reader in &mut readers {
        let read = until(&mut reader.socket, "500").await;
        assert_eq!(positions(&read), (1..=500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_thousand_readers_that_stall_hold_up_nobody_and_read_on_later() {
    let system = System::start().await;
    let path = "/v1/streams/client?format=data";
    let mut stalled = Vec::new();
    for _ in 0..1_000 {
        stalled.push(listen(&system, path).await);
    }
    let mut quick = listen(&system, path).await;
    // Together more than is kept in memory for readers that are up to date.
    let large = "x".repeat(200_000);
    for number in 1..=100 {
        system
            .post_to("client", "message", &json!({"n": number, "x": large}))
            .await;
        until(
            &mut quick.socket,
            &json!({"n": number, "x": large}).to_string(),
        )
        .await;
    }
    let mut late = stalled.swap_remove(500);
    let last = json!({"n": 100, "x": large}).to_string();
    let read = until(&mut late.socket, &last).await;
    assert_eq!(positions(&read), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_ends_with_its_credentials_its_client_or_the_relay() {
    let system = System::start().await;
    let revoked = listen(&system, "/v1/streams/client").await;
    drop(revoked.credentials);
    soon("the end", revoked.task).await.unwrap();
    let left = listen(&system, "/v1/streams/client").await;
    drop(left.socket);
    soon("the end", left.task).await.unwrap();
    let drained = listen(&system, "/v1/streams/client").await;
    system.stop().await;
    soon("the end", drained.task).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_always_has_more_to_send_ends_with_its_credentials_too() {
    let system = System::start().await;
    for number in 1..=500 {
        system.post(number).await;
    }
    let busy = listen(&system, "/v1/streams/client?start=earliest").await;
    drop(busy.credentials);
    let mut socket = busy.socket;
    let mut bytes = Vec::new();
    let read = soon("the end", socket.read_to_end(&mut bytes)).await;
    read.unwrap();
    soon(
        "the end",
        tokio::time::timeout(Duration::from_secs(5), busy.task),
    )
    .await
    .unwrap()
    .unwrap();
}
