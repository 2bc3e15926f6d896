//! Clients that hold sockets: they are let go, and others do not notice them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pasar_testkit::open_files;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

use crate::support::{Setup, System, eventually, raw};

const HELD: usize = 2_000;
/// Both ends of those, and what other tests have open.
const OPEN_FILES: u64 = 8_192;
const SOON: Duration = Duration::from_secs(10);

fn impatient(setup: &mut Setup) {
    let timeouts = &mut setup.config.timeouts;
    timeouts.head_ms = 300;
    timeouts.idle_ms = 300;
    timeouts.write_ms = 300;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_held_sockets_do_not_slow_others_down() {
    open_files::allow(OPEN_FILES);
    let system = System::with(|setup| setup.config.rate_limits.anonymous.requests = 0).await;
    let mut held = Vec::new();
    for number in 0..HELD {
        let mut socket = TcpStream::connect(system.address).await.unwrap();
        // Every other one is silent from the beginning.
        if number % 2 == 0 {
            let head = b"GET /v1/orders HTTP/1.1\r\nHost: pas";
            socket.write_all(head).await.unwrap();
        }
        held.push(socket);
    }
    let mut took = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        assert_eq!(system.get("/v1/orders").await.status(), 200);
        took.push(began.elapsed());
    }
    took.sort();
    assert!(
        took[197] < Duration::from_millis(250),
        "99 % within {:?}",
        took[197]
    );
    drop(held);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up_also_when_it_trickles() {
    let system = System::with(impatient).await;
    let mut silent = TcpStream::connect(system.address).await.unwrap();
    let mut preface = TcpStream::connect(system.address).await.unwrap();
    preface
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n")
        .await
        .unwrap();
    let trickling = TcpStream::connect(system.address).await.unwrap();
    let (mut reader, mut writer) = trickling.into_split();
    let trickle = tokio::spawn(async move {
        writer
            .write_all(b"GET /v1/orders HTTP/1.1\r\nX-Slow: ")
            .await?;
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            writer.write_all(b"a").await?;
        }
        #[expect(unreachable_code, reason = "names the error's type")]
        std::io::Result::Ok(())
    });
    let closed = async {
        let mut buffer = [0; 64];
        while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut reader, &mut buffer).await {}
    };
    tokio::time::timeout(SOON, closed)
        .await
        .expect("a trickling head was waited for");
    assert!(
        raw::is_closed_within(&mut silent, SOON).await,
        "a silent client was waited for"
    );
    assert!(
        raw::is_closed_within(&mut preface, SOON).await,
        "half a preface was waited for"
    );
    trickle.abort();
    assert_eq!(system.orders.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_second_head_on_a_connection_is_timed_as_the_first() {
    let system = System::with(|setup| {
        impatient(setup);
        setup.config.timeouts.idle_ms = 60_000;
    })
    .await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket
        .write_all(b"GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(raw::statuses(&raw::read(&mut socket).await), [200]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    socket
        .write_all(b"GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        raw::statuses(&raw::read(&mut socket).await),
        [200],
        "idling is not trickling"
    );
    socket.write_all(b"GET /v1/orders HTT").await.unwrap();
    assert!(raw::is_closed_within(&mut socket, SOON).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let system = System::with(impatient).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket
        .write_all(b"GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(raw::statuses(&raw::read(&mut socket).await), [200]);
    assert!(raw::is_closed_within(&mut socket, SOON).await);
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_loses_it() {
    let system = System::with(impatient).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(system.address).await.unwrap();
        socket
            .write_all(b"GET /v1/orders/flood HTTP/1.1\r\nHost: pasar\r\n\r\n")
            .await
            .unwrap();
        sockets.push(socket);
    }
    eventually("the floods", || system.orders.seen().len() == 20).await;
    eventually("the end of the floods", || {
        system.orders.open_streams() == 0
    })
    .await;
}

#[tokio::test]
async fn an_http2_client_that_keeps_its_window_shut_loses_its_connection() {
    let system = System::with(impatient).await;
    let socket = TcpStream::connect(system.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1_024)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(socket))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://pasar/v1/orders/flood")
        .body(Empty::new())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    eventually("the end of the flood", || system.orders.open_streams() == 0).await;
    tokio::time::timeout(SOON, connection)
        .await
        .expect("the connection stayed")
        .unwrap()
        .ok();
    drop(answer);
}

#[tokio::test]
async fn an_http2_connection_serves_many_requests_at_once_and_outlives_the_head_timeout() {
    let system = System::with(|setup| {
        impatient(setup);
        setup.config.timeouts.idle_ms = 5_000;
    })
    .await;
    let socket = TcpStream::connect(system.address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake::<_, Empty<Bytes>>(TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let mut sender = sender.clone();
        calls.spawn(async move {
            let request = http::Request::get("http://pasar/v1/orders")
                .body(Empty::new())
                .unwrap();
            let answer = sender.send_request(request).await.unwrap();
            answer.into_body().collect().await.unwrap().to_bytes()
        });
    }
    for body in calls.join_all().await {
        assert_eq!(body, "{\"items\":[]}");
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let request = http::Request::get("http://pasar/v1/orders")
        .body(Empty::new())
        .unwrap();
    assert_eq!(
        sender.clone().send_request(request).await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let system = System::with(|setup| {
        impatient(setup);
        setup.config.limits.connections = 2;
    })
    .await;
    let first = TcpStream::connect(system.address).await.unwrap();
    let second = TcpStream::connect(system.address).await.unwrap();
    let mut third = TcpStream::connect(system.address).await.unwrap();
    third
        .write_all(b"GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    let began = Instant::now();
    while answer.is_empty() && began.elapsed() < SOON {
        answer = raw::read(&mut third).await;
    }
    assert_eq!(raw::statuses(&answer), [200], "the silent ones were let go");
    drop((first, second));
}
