//! The server over real sockets: flows, limits, slow clients, drain.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use futures_util::stream;
use pasar_chassis::{cause::RequestCause, extract::Json, health, http, sse, telemetry::Metrics};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::host::{Machine, soon};

async fn serve(machine: &Machine, router: Router, limits: http::Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    http::serve(&machine.host, listener, router, &limits);
    address
}

/// Sends raw bytes and reads until the server closes.
async fn raw(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

fn close(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
}

fn whoami() -> Router {
    Router::new().route(
        "/flow",
        get(async |RequestCause(cause): RequestCause| cause.flow.to_string()),
    )
}

#[tokio::test]
async fn each_request_has_a_flow_that_the_answer_names() {
    let machine = Machine::new();
    let address = serve(&machine, whoami(), http::Limits::default()).await;
    let answer = raw(address, &close("/flow")).await;
    let flow = answer.rsplit("\r\n").next().unwrap();
    assert!(flow.starts_with("flw_"), "{answer}");
    assert!(answer.contains(&format!("pasar-flow: {flow}")), "{answer}");
    assert_ne!(raw(address, &close("/flow")).await, answer);
}

#[tokio::test]
async fn a_client_that_says_nothing_or_too_much_is_let_go() {
    let machine = Machine::new();
    let limits = http::Limits {
        header_timeout_ms: 50,
        max_header_bytes: 8 * 1024,
        ..http::Limits::default()
    };
    let address = serve(&machine, whoami(), limits).await;
    assert_eq!(raw(address, "").await, "");
    assert_eq!(raw(address, "P").await, "");
    let unfinished = raw(address, "GET /flow HTTP/1.1\r\nhost:").await;
    assert!(!unfinished.contains("200"), "{unfinished}");
    let huge = format!(
        "GET /flow HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let refused = raw(address, &huge).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    assert!(refused.contains("/problems/headers-too-large"), "{refused}");
}

/// Who answers early reads on, or the answer would be lost with the connection.
#[tokio::test]
async fn what_is_left_of_a_body_that_was_refused_is_taken() {
    static PART: [u8; 32 * 1024] = [b'x'; 32 * 1024];
    let machine = Machine::new();
    let router = Router::new().route("/json", post(async |Json(_): Json<Value>| ()));
    let address = serve(&machine, router, http::Limits::default()).await;
    let length = 100 * PART.len();
    for framing in [
        "content-length: 1048577\r\n\r\n".to_owned(),
        format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n"),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let head = format!("POST /json HTTP/1.1\r\nhost: a\r\n{framing}");
        socket.write_all(head.as_bytes()).await.unwrap();
        let chunked = framing.contains("chunked");
        for _ in 0..if chunked { 33 } else { 0 } {
            socket.write_all(&PART).await.unwrap();
        }
        let mut answer = vec![0; 1024];
        let read = soon(socket.read(&mut answer)).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 413 "), "{framing}");
        for _ in 0..if chunked { 67 } else { 32 } {
            soon(socket.write_all(&PART)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_refuses_new_ones() {
    let machine = Machine::new();
    let (started, has_started) = oneshot::channel();
    let (finish, may_finish) = oneshot::channel::<()>();
    let held = std::sync::Arc::new(parking_lot::Mutex::new(Some((started, may_finish))));
    let slow = async move || {
        let (started, may_finish) = held.lock().take().unwrap();
        started.send(()).unwrap();
        may_finish.await.unwrap();
        "done"
    };
    let router = Router::new().route("/slow", get(slow));
    let address = serve(&machine, router, http::Limits::default()).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let answer = tokio::spawn(async move { raw(address, &close("/slow")).await });
    soon(has_started).await.unwrap();
    let tasks = machine.host.tasks.clone();
    let drained = tokio::spawn(async move { tasks.drain(Duration::from_secs(20)).await });
    soon(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    finish.send(()).unwrap();
    assert!(soon(answer).await.unwrap().ends_with("done"));
    assert_eq!(soon(drained).await.unwrap(), Vec::<&str>::new());
    drop(idle);
}

#[tokio::test]
async fn a_drain_ends_streams() {
    let machine = Machine::new();
    let tasks = machine.host.tasks.clone();
    let events = async move || {
        let first = stream::iter([sse::event(1, "a", "{}".to_owned())]);
        sse::respond(
            &tasks,
            futures_util::StreamExt::chain(first, stream::pending()),
        )
    };
    let router = Router::new().route("/events", get(events));
    let address = serve(&machine, router, http::Limits::default()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(close("/events").as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let mut read = 0;
    while !String::from_utf8_lossy(&answer[..read]).contains("data: {}") {
        read += soon(socket.read(&mut answer[read..])).await.unwrap();
    }
    let left = machine.host.tasks.drain(Duration::from_secs(20)).await;
    assert_eq!(left, Vec::<&str>::new());
    soon(socket.read_to_end(&mut answer)).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let machine = Machine::new();
    let limits = http::Limits {
        max_connections: 1,
        ..http::Limits::default()
    };
    let address = serve(&machine, whoami(), limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first
        .write_all(b"GET /flow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut some = [0; 16];
    soon(first.read_exact(&mut some)).await.unwrap();
    let second = tokio::spawn(async move { raw(address, &close("/flow")).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!second.is_finished());
    drop(first);
    assert!(soon(second).await.unwrap().contains("200 OK"));
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let machine = Machine::new();
    let router = health::router(machine.host.health.clone(), Metrics::detached().unwrap());
    let address = serve(&machine, router, http::Limits::default()).await;
    assert!(
        raw(address, &close("/healthz"))
            .await
            .starts_with("HTTP/1.1 200")
    );
    let starting = raw(address, &close("/readyz")).await;
    assert!(starting.starts_with("HTTP/1.1 503"), "{starting}");
    assert!(starting.contains("application/problem+json"), "{starting}");
    let posted = raw(address, &close("/readyz").replacen("GET", "POST", 1)).await;
    assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
    assert!(posted.contains("/problems/method-not-allowed"), "{posted}");
    machine.host.health.booted();
    assert!(raw(address, &close("/readyz")).await.contains("\"ready\""));
    assert!(
        raw(address, &close("/metrics"))
            .await
            .starts_with("HTTP/1.1 200")
    );
}
