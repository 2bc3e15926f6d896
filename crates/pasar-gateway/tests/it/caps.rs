//! Sizes and times that a request may not exceed.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{System, eventually, problem, problem_of, raw};

async fn small() -> System {
    System::with(|setup| {
        setup.config.limits.body_bytes = 1_000;
        setup.config.timeouts.body_ms = 200;
    })
    .await
}

#[tokio::test]
async fn a_body_is_passed_on_up_to_the_cap() {
    let system = small().await;
    for (bytes, expected) in [(1_000, 200), (1_001, 413)] {
        let response = system
            .request(Method::POST, "/v1/orders")
            .body(vec![b'x'; bytes])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected, "{bytes}");
    }
    assert_eq!(
        system.orders.seen().len(),
        1,
        "a body that says it is too large is not passed on"
    );
}

#[tokio::test]
async fn a_body_that_says_no_length_is_cut_at_the_cap() {
    let system = small().await;
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100]));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let response = system
        .request(Method::POST, "/v1/orders")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(
        problem_of(response).await,
        problem(413, "payload-too-large")
    );

    let chunks = (0..10).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100]));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let response = system
        .request(Method::POST, "/v1/orders")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["bytes"], 1_000);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let system = small().await;
    for framing in [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let head = format!("POST /v1/orders HTTP/1.1\r\nHost: pasar\r\n{framing}");
        let mut socket = TcpStream::connect(system.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        for _ in 0..20 {
            answer.push_str(&raw::read(&mut socket).await);
            if !answer.is_empty() {
                break;
            }
        }
        assert_eq!(raw::statuses(&answer), [408], "{answer}");
        assert!(answer.contains("/problems/request-timeout"), "{answer}");
    }
}

/// A body of 20 parts that come 50 ms apart: five times as long in all as a body may take.
async fn slow_lines(system: &System, path: &str, content_type: &str) -> Response {
    let lines = futures_util::stream::unfold(0, |sent| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        (sent < 20).then(|| (Ok::<_, std::io::Error>(vec![b'x'; 100]), sent + 1))
    });
    let request = system.request(Method::POST, path);
    let request = request.header("content-type", content_type);
    let body = reqwest::Body::wrap_stream(lines);
    request.body(body).send().await.unwrap()
}

#[tokio::test]
async fn lines_have_neither_size_nor_time_where_the_document_says_so() {
    let system = small().await;
    let answer = slow_lines(&system, "/v1/orders/lines", "application/x-ndjson").await;
    assert_eq!(answer.json::<Value>().await.unwrap()["bytes"], 2_000);
    for (path, content_type) in [
        ("/v1/orders/lines", "application/json"),
        ("/v1/orders", "application/x-ndjson"),
    ] {
        let answer = slow_lines(&system, path, content_type).await;
        assert!(matches!(answer.status().as_u16(), 408 | 413), "{path}");
    }
}

#[tokio::test]
async fn lines_that_stop_coming_are_given_up() {
    let system = small().await;
    let lines = futures_util::stream::once(async { Ok::<_, std::io::Error>("a\n") });
    let silence = futures_util::stream::pending();
    let body = futures_util::StreamExt::chain(lines, silence);
    let answer = system
        .request(Method::POST, "/v1/orders/lines")
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(body))
        .send()
        .await
        .unwrap();
    assert_eq!(problem_of(answer).await, problem(408, "request-timeout"));
}

#[tokio::test]
async fn long_heads_are_refused_as_problems() {
    let system = System::start().await;
    let long = format!("/v1/orders?{}", "q".repeat(8_200));
    assert_eq!(
        problem_of(system.get(&long).await).await,
        problem(414, "uri-too-long")
    );
    let large = system
        .request(Method::GET, "/v1/orders")
        .header("x-large", "a".repeat(17_000));
    assert_eq!(
        problem_of(large.send().await.unwrap()).await,
        problem(431, "headers-too-large")
    );
    let mut many = system.request(Method::GET, "/v1/orders");
    for n in 0..70 {
        many = many.header(format!("x-{n}"), "a");
    }
    assert_eq!(
        problem_of(many.send().await.unwrap()).await,
        problem(431, "headers-too-large")
    );
    assert_eq!(system.orders.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn an_endless_head_is_refused_before_it_fills_the_memory() {
    let system = System::start().await;
    let mut request = b"GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX: ".to_vec();
    request.resize(300 * 1024, b'a');
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    // The server may have closed before all of it was sent.
    let _ = socket.write_all(&request).await;
    assert!(raw::is_closed_within(&mut socket, Duration::from_secs(5)).await);
}

#[tokio::test]
async fn compressed_bodies_are_refused() {
    let system = System::start().await;
    let request = system
        .request(Method::POST, "/v1/orders")
        .header("content-encoding", "gzip")
        .body("x");
    assert_eq!(
        problem_of(request.send().await.unwrap()).await,
        problem(415, "unsupported-media-type")
    );
}

#[tokio::test]
async fn an_answer_that_is_too_late_is_504() {
    let system = System::with(|setup| setup.config.timeouts.request_ms = 100).await;
    assert_eq!(
        problem_of(system.get("/v1/orders/held").await).await,
        problem(504, "timeout")
    );
    eventually("the end of the call", || system.orders.open_streams() == 0).await;
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_take_it() {
    let system = System::start().await;
    let response = system
        .request(Method::GET, "/v1/orders/long")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let coded = response.bytes().await.unwrap();
    let mut plain = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&coded[..]), &mut plain)
        .unwrap();
    assert_eq!(
        system.get("/v1/orders/long").await.text().await.unwrap(),
        plain
    );
    let tiny = system
        .request(Method::GET, "/v1/orders")
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert!(!tiny.headers().contains_key("content-encoding"));
}
