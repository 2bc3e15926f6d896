//! `https`: HTTP/2 and HTTP/1.1, authorities of one's own, certificates that do not fit.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::Version;
use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::destination::{Destination, Sent};
use serde_json::json;

use super::{
    is_delivered, open, open_owned, parcel,
    raw_server::{RawServer, Then, answer},
    tls_server::TlsServer,
};

async fn send(endpoint: &Arc<dyn Destination>) -> Sent {
    endpoint.send(&parcel("msg_1", Format::Cloudevents)).await
}

async fn send_many(endpoint: &Arc<dyn Destination>, count: usize) {
    let sent = join_all((0..count).map(|_| send(endpoint))).await;
    assert!(sent.iter().all(is_delivered), "{sent:?}");
}

#[tokio::test]
async fn one_http2_connection_carries_many_deliveries_at_once() {
    let server = TlsServer::start("localhost", &["h2", "http/1.1"]).await;
    let endpoint = open(json!({"url": server.url("localhost"), "ca": server.ca}));
    send_many(&endpoint, 50).await;
    send_many(&endpoint, 50).await;
    assert_eq!(server.connections(), 1);
    assert_eq!(server.versions(), vec![Version::HTTP_2; 100]);
    let Sent::Delivered { detail, .. } = send(&endpoint).await else {
        panic!("the server takes everything");
    };
    assert_eq!(detail, Some(format!("localhost:{}", server.address.port())));
}

#[tokio::test]
async fn an_http2_connection_that_broke_is_replaced_unnoticed() {
    let server = TlsServer::start("localhost", &["h2"]).await;
    let endpoint = open(json!({"url": server.url("localhost"), "ca": server.ca}));
    send_many(&endpoint, 5).await;
    server.hang_up();
    send_many(&endpoint, 5).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn nothing_of_a_destination_runs_on_without_it() {
    for protocols in [&["h2"][..], &["http/1.1"]] {
        let server = TlsServer::start("localhost", protocols).await;
        let tasks = Tasks::new();
        let given = json!({"url": server.url("localhost"), "ca": server.ca});
        let endpoint = open_owned(given, &tasks);
        send_many(&endpoint, 5).await;
        let left = tasks.drain(Duration::ZERO).await;
        assert!(!left.is_empty(), "what it runs has no owner");
        let tasks = Tasks::new();
        let given = json!({"url": server.url("localhost"), "ca": server.ca});
        let endpoint = open_owned(given, &tasks);
        send_many(&endpoint, 5).await;
        drop(endpoint);
        let left = tasks.drain(Duration::from_secs(5)).await;
        assert_eq!(left, Vec::<&str>::new());
    }
}

#[tokio::test]
async fn without_http2_connections_are_kept_as_in_the_clear() {
    for protocols in [&["http/1.1"][..], &[]] {
        let server = TlsServer::start("127.0.0.1", protocols).await;
        let endpoint = open(json!({"url": server.url("127.0.0.1"), "ca": server.ca}));
        send_many(&endpoint, 5).await;
        send_many(&endpoint, 5).await;
        assert!(server.connections() <= 5, "{}", server.connections());
        assert_eq!(server.versions(), vec![Version::HTTP_11; 10]);
    }
}

#[tokio::test]
async fn an_authority_that_is_not_known_or_not_the_one_is_refused() {
    let server = TlsServer::start("localhost", &["h2"]).await;
    let other = TlsServer::start("localhost", &["h2"]).await;
    for given in [
        json!({"url": server.url("localhost")}),
        json!({"url": server.url("localhost"), "ca": other.ca}),
    ] {
        let Sent::Failed(failure) = send(&open(given)).await else {
            panic!("the certificate must not be believed");
        };
        assert!(failure.detail.contains("set ca"), "{}", failure.detail);
    }
    assert!(server.versions().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = TlsServer::start("other.example", &["h2"]).await;
    let endpoint = open(json!({"url": server.url("localhost"), "ca": server.ca}));
    let Sent::Failed(failure) = send(&endpoint).await else {
        panic!("the certificate must not be believed");
    };
    assert!(failure.detail.starts_with("TLS: "), "{}", failure.detail);
    assert!(server.versions().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_such() {
    let server = RawServer::start([answer("HTTP/1.1 400 Bad\r\n\r\n", Then::Close)]).await;
    let endpoint = open(json!({"url": server.url().replace("http:", "https:"), "timeout_ms": 500}));
    match send(&endpoint).await {
        Sent::Failed(failure) => assert_ne!(failure.detail, ""),
        Sent::Unreachable(why) => assert_ne!(why, ""),
        Sent::Delivered { .. } => panic!("there is no TLS"),
    }
    assert_eq!(server.requests(), 0);
}
