//! Connections: kept, replaced, cut. And what other ends may do to them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use pasar_contracts::api::relay::Format;
use pasar_relay::destination::{Destination, Failure, Next, Sent};
use serde_json::json;

use super::{
    is_delivered, open, parcel,
    raw_server::{OK, RawServer, Then, answer},
};

async fn send(endpoint: &Arc<dyn Destination>) -> Sent {
    endpoint.send(&parcel("msg_1", Format::Data)).await
}

#[tokio::test]
async fn deliveries_one_after_the_other_share_a_connection() {
    let server = RawServer::start([]).await;
    let endpoint = open(json!({"url": server.url()}));
    for _ in 0..20 {
        assert!(is_delivered(&send(&endpoint).await));
    }
    assert_eq!((server.connections(), server.requests()), (1, 20));
    drop(endpoint);
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn there_are_never_more_connections_than_deliveries_at_once() {
    let server = RawServer::start([]).await;
    let endpoint = open(json!({"url": server.url()}));
    for _ in 0..5 {
        let sent = join_all((0..8).map(|_| send(&endpoint))).await;
        assert!(sent.iter().all(is_delivered));
    }
    assert_eq!(server.requests(), 40);
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced_unnoticed() {
    let closed_after_the_answer = [answer(OK, Then::Close)];
    let closed_at_the_next_request = [answer(OK, Then::KeepOpen), answer("", Then::Close)];
    let server = RawServer::start(closed_after_the_answer).await;
    let endpoint = open(json!({"url": server.url()}));
    assert!(is_delivered(&send(&endpoint).await));
    server.wait_for_open(0).await;
    assert!(is_delivered(&send(&endpoint).await));
    assert_eq!((server.connections(), server.requests()), (2, 2));

    let server = RawServer::start(closed_at_the_next_request).await;
    let endpoint = open(json!({"url": server.url()}));
    assert!(is_delivered(&send(&endpoint).await));
    assert!(is_delivered(&send(&endpoint).await));
    assert_eq!((server.connections(), server.requests()), (2, 3));
}

#[tokio::test]
async fn what_breaks_within_an_answer_is_not_sent_again() {
    let server = RawServer::start([
        answer(OK, Then::KeepOpen),
        answer("HTTP/1.1 20", Then::Close),
    ])
    .await;
    let endpoint = open(json!({"url": server.url()}));
    assert!(is_delivered(&send(&endpoint).await));
    assert!(matches!(send(&endpoint).await, Sent::Unreachable(_)));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_endless_body_is_cut_with_its_connection_and_the_status_counts() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n";
    let until_closed = "HTTP/1.1 503 Busy\r\n\r\n";
    let server = RawServer::start([
        answer(chunked, Then::Endless),
        answer(until_closed, Then::Endless),
    ])
    .await;
    let endpoint = open(json!({"url": server.url()}));
    let begun = Instant::now();
    let Sent::Delivered { detail, .. } = send(&endpoint).await else {
        panic!("the status says that it was taken");
    };
    assert_eq!(detail.unwrap(), "x".repeat(1024));
    let Sent::Failed(failure) = send(&endpoint).await else {
        panic!("the status says that it was not taken");
    };
    assert_eq!((failure.status, failure.detail.len()), (Some(503), 1024));
    assert!(begun.elapsed() < Duration::from_secs(10));
    server.wait_for_open(0).await;
    assert!(is_delivered(&send(&endpoint).await));
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_body_within_the_limit_is_read_whole_and_its_connection_kept() {
    let body = "y".repeat(64 * 1024);
    let fits = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let longer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}y",
        body.len() + 1
    );
    let server =
        RawServer::start([answer(fits, Then::KeepOpen), answer(longer, Then::KeepOpen)]).await;
    let endpoint = open(json!({"url": server.url()}));
    for connections in [1, 1, 2] {
        assert!(is_delivered(&send(&endpoint).await));
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_body_that_drips_is_left_when_the_attempts_time_is_over() {
    let dripping = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\ndrip";
    let server = RawServer::start([answer(dripping, Then::Drip)]).await;
    let endpoint = open(json!({"url": server.url(), "timeout_ms": 300}));
    let begun = Instant::now();
    let Sent::Delivered { detail, .. } = send(&endpoint).await else {
        panic!("the status says that it was taken");
    };
    assert!(detail.unwrap().starts_with("drip"));
    assert!(begun.elapsed() < Duration::from_secs(10));
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn a_head_that_drips_ends_with_the_attempt() {
    let server = RawServer::start([answer("HTTP/1.1 200 OK\r\nx: ", Then::Drip)]).await;
    let endpoint = open(json!({"url": server.url(), "timeout_ms": 300}));
    let Sent::Failed(failure) = send(&endpoint).await else {
        panic!("there was no answer");
    };
    assert_eq!(failure.detail, "no answer within 300 ms");
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn what_is_no_answer_or_a_huge_head_is_refused() {
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(70_000));
    let server = RawServer::start([
        answer("220 mail.example ESMTP\r\n\r\n", Then::KeepOpen),
        answer(huge, Then::KeepOpen),
    ])
    .await;
    let endpoint = open(json!({"url": server.url()}));
    for _ in 0..2 {
        let Sent::Failed(failure) = send(&endpoint).await else {
            panic!("that is no answer");
        };
        assert_eq!((failure.status, failure.next), (None, Next::Retry));
        assert!(failure.detail.contains("not HTTP"), "{}", failure.detail);
    }
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn redirects_are_failures_and_not_followed() {
    let elsewhere = RawServer::start([]).await;
    for status in [300, 301, 302, 303, 307, 308] {
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            elsewhere.url()
        );
        let server = RawServer::start([answer(head, Then::KeepOpen)]).await;
        let sent = send(&open(json!({"url": server.url()}))).await;
        let detail = "redirects are not followed; set url to where the call should go";
        let expected = Failure {
            status: Some(status),
            detail: detail.to_owned(),
            next: Next::Retry,
        };
        assert_eq!(sent, Sent::Failed(expected));
        assert_eq!(server.requests(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_heeded_in_both_forms_with_any_failure() {
    for (status, value, seconds) in [
        (429, "7", 7),
        (503, "Tue, 14 Nov 2023 22:14:20 GMT", 60),
        (500, "3", 3),
        (302, "3", 3),
    ] {
        let head =
            format!("HTTP/1.1 {status} X\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let server = RawServer::start([answer(head, Then::KeepOpen)]).await;
        let Sent::Failed(failure) = send(&open(json!({"url": server.url()}))).await else {
            panic!("{status} is a failure");
        };
        let pause = Duration::from_secs(seconds);
        assert_eq!(failure.next, Next::RetryAfter(pause), "{status}");
    }
    let gone = "HTTP/1.1 410 Gone\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let server = RawServer::start([answer(gone, Then::KeepOpen)]).await;
    let sent = send(&open(json!({"url": server.url()}))).await;
    assert!(matches!(
        sent,
        Sent::Failed(Failure {
            next: Next::Gone,
            ..
        })
    ));
}

#[tokio::test]
async fn where_nobody_listens_is_unreachable() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let begun = Instant::now();
    let sent = send(&open(json!({"url": url}))).await;
    assert_eq!(
        sent,
        Sent::Unreachable("connect: connection refused".to_owned())
    );
    assert!(begun.elapsed() < Duration::from_secs(4));
}
