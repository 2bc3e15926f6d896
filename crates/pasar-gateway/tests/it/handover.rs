//! Connections whose handler asked for the socket, and requests for a WebSocket.

use std::time::Duration;

use pasar_contracts::{
    api::users::Role,
    events::users::{SessionEnd, SessionEnded},
};
use pasar_types::id::UserId;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{System, eventually, problem, problem_of, raw};

const SOON: Duration = Duration::from_secs(10);

/// Reads until the text comes.
async fn until(socket: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            let mut buffer = [0; 1024];
            let length = socket.read(&mut buffer).await.unwrap();
            assert_ne!(length, 0, "closed after {}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&buffer[..length]);
        }
    };
    tokio::time::timeout(SOON, reading).await.unwrap();
    String::from_utf8(read).unwrap()
}

async fn connect(system: &System, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    socket
}

async fn one_is_open(system: &System) {
    eventually("the socket changing hands", || {
        system.orders.open_streams() == 1
    })
    .await;
}

const TAKEN: &str = "GET /v1/orders/taken HTTP/1.1\r\nHost: pasar\r\n\r\n";

#[tokio::test]
async fn after_its_head_the_answer_is_what_the_handler_writes() {
    let system = System::start().await;
    let mut socket = connect(&system, TAKEN).await;
    let head = until(&mut socket, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for field in [
        "connection: close",
        "x-content-type-options: nosniff",
        "pasar-flow: ",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    system.orders.ticks.send("tick tock".to_owned()).unwrap();
    until(&mut socket, "tick tock").await;
    // A library reads it as it reads any answer.
    let mut response = system.get("/v1/orders/taken").await;
    system.orders.ticks.send("again".to_owned()).unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "again");
}

#[tokio::test]
async fn requests_before_it_are_answered_whole_and_requests_after_it_are_not_read() {
    let system = System::start().await;
    let before = "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n";
    let after = "DELETE /v1/orders/echo HTTP/1.1\r\nHost: pasar\r\n\r\n";
    let mut socket = connect(&system, &format!("{before}{TAKEN}{after}")).await;
    let answers = until(&mut socket, "connection: close\r\n").await;
    assert_eq!(raw::statuses(&answers), [200, 200]);
    assert!(answers.contains("{\"items\":[]}"), "{answers}");
    socket.write_all(after.as_bytes()).await.unwrap();
    system.orders.ticks.send("tick".to_owned()).unwrap();
    let rest = until(&mut socket, "tick").await;
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
    assert_eq!(
        system.orders.seen(),
        ["GET /v1/orders", "GET /v1/orders/taken"]
    );
}

#[tokio::test]
async fn it_ends_with_the_credentials_and_counts_as_a_connection_until_then() {
    let system = System::with(|setup| setup.config.limits.connections = 1).await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    let request = format!(
        "GET /v1/orders/taken HTTP/1.1\r\nHost: pasar\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let mut socket = connect(&system, &request).await;
    until(&mut socket, "\r\n\r\n").await;
    let mut second = connect(&system, "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n").await;
    assert_eq!(raw::read(&mut second).await, "", "there is no place for it");
    system.users.end_session(session);
    system.feed.append(&SessionEnded {
        user_id: UserId::from_bytes([1; 16]),
        session_id: session,
        reason: SessionEnd::Revoked,
    });
    assert!(raw::is_closed_within(&mut socket, SOON).await);
    until(&mut second, "HTTP/1.1 200 OK").await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let system = System::with(|setup| setup.config.timeouts.write_ms = 200).await;
    let mut socket = connect(&system, TAKEN).await;
    until(&mut socket, "\r\n\r\n").await;
    one_is_open(&system).await;
    // More than the buffers of both kernels hold.
    let much = "x".repeat(16 * 1024 * 1024);
    system.orders.ticks.send(much).unwrap();
    eventually("the end of the stream", || {
        system.orders.open_streams() == 0
    })
    .await;
}

#[tokio::test]
async fn by_http2_there_is_no_socket_to_hand_over() {
    let system = System::start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let response = client.get(system.url("/v1/orders/taken")).send().await;
    assert_eq!(response.unwrap().text().await.unwrap(), "not handed over");
}

const UPGRADE: &str =
    "GET /v1/orders/taken HTTP/1.1\r\nHost: pasar\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";

#[tokio::test]
async fn a_websocket_passes() {
    let system = System::start().await;
    let mut socket = connect(&system, &format!("{UPGRADE}\r\n")).await;
    let head = until(&mut socket, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    assert!(head.contains("connection: upgrade\r\n"), "{head}");
    one_is_open(&system).await;
    system.orders.ticks.send("frame".to_owned()).unwrap();
    until(&mut socket, "frame").await;
}

#[tokio::test]
async fn a_websocket_is_opened_by_own_pages_listed_ones_and_programs() {
    let system =
        System::with(|setup| setup.config.cors_origins = vec!["https://pos.example".into()]).await;
    let (_, token) = system.logged_in(1, &[Role::Customer]);
    for (fields, status) in [
        ("Origin: https://evil.example".to_owned(), 403),
        ("Origin: null".to_owned(), 403),
        (
            format!("Origin: https://evil.example\r\nCookie: __Host-pasar_session={token}"),
            403,
        ),
        ("Origin: http://pasar".to_owned(), 101),
        ("Origin: https://kopi.example".to_owned(), 101),
        ("Origin: https://pos.example".to_owned(), 101),
        (
            format!("Origin: https://evil.example\r\nAuthorization: Bearer {token}"),
            101,
        ),
    ] {
        let mut socket = connect(&system, &format!("{UPGRADE}{fields}\r\n\r\n")).await;
        let head = until(&mut socket, "\r\n\r\n").await;
        assert_eq!(raw::statuses(&head), [status], "{fields}");
    }
}

#[tokio::test]
async fn a_websocket_with_a_body_or_by_another_method_is_refused() {
    let system = System::start().await;
    for request in [
        format!("{UPGRADE}Content-Length: 3\r\n\r\nabc"),
        format!("{UPGRADE}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{UPGRADE}\r\n").replace("GET", "POST"),
    ] {
        let mut socket = connect(&system, &request).await;
        let head = until(&mut socket, "\r\n\r\n").await;
        assert_eq!(raw::statuses(&head), [400], "{request}");
    }
    let response = system
        .request(Method::POST, "/v1/orders/taken")
        .header("upgrade", "h2c, WebSocket")
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(response).await, problem(400, "invalid-request"));
    assert_eq!(system.orders.seen(), Vec::<String>::new());
}
