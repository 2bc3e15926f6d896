//! Bodies that a service refuses while they are still sent: its answer is what the client reads, and nobody else
//! is the worse for it.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::post};
use pasar_chassis::{extract::Json, host::Host, keyring::Keyring, service::Running};
use pasar_contracts::event::Service;
use pasar_gateway::remote::Remote;
use pasar_store::ids::SystemIds;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{elsewhere, raw, users::document};

const PATH: &str = "/v1/orders";
const PART: usize = 32 * 1024;
const HI: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
const REFUSAL: &str = "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/problem+json\r\n\
                       content-length: 2\r\nconnection: close\r\n\r\n{}";

/// Sends a head and so many parts, whether they are taken or not, then reads the answer.
async fn send(address: SocketAddr, head: &str, part: &[u8], parts: usize) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..parts {
        if socket.write_all(part).await.is_err() {
            break;
        }
    }
    let mut answer = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        let mut buffer = vec![0; PART];
        while !answer.contains("\r\n\r\n") {
            match socket.read(&mut buffer).await {
                Ok(length @ 1..) => answer.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Ok(_) | Err(_) => break,
            }
        }
    })
    .await;
    answer
}

async fn chunked(address: SocketAddr, path: &str, parts: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: pasar\r\ncontent-type: application/json\r\n");
    let head = head + "transfer-encoding: chunked\r\n\r\n";
    let part = [b"8000\r\n", &vec![b'x'; PART][..], b"\r\n"].concat();
    send(address, &head, &part, parts).await
}

async fn whole(address: SocketAddr, path: &str, parts: usize) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nhost: pasar\r\ncontent-type: application/json\r\n");
    let head = format!("{head}content-length: {}\r\n\r\n", parts * PART);
    send(address, &head, &vec![b'x'; PART], parts).await
}

/// An instance of a service of ours in front of a gateway, as processes have it.
async fn service(host: &Host) -> SocketAddr {
    let router = Router::new().route(PATH, post(async |Json(_): Json<Value>| "taken").get("hi"));
    let running = Running {
        router,
        openapi: document("orders", &[PATH]),
        grpc: &[],
    };
    elsewhere::serve_one(host, Service::Orders, running).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_says_of_a_body_that_is_too_large_is_what_the_client_reads() {
    let keyring = Keyring::ephemeral(&SystemIds::default());
    let host = Host::system(".", keyring.clone(), "http://pasar.test");
    let instance = service(&host).await;
    host.health.booted();
    let (_gateway, address) =
        elsewhere::gateway(&keyring, elsewhere::remote(Service::Orders, &[instance])).await;
    for _ in 0..20 {
        let (many, one) = tokio::join!(chunked(address, PATH, 60), whole(address, PATH, 100));
        for answer in [many, one] {
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:?}");
            assert!(answer.contains("pasar-flow"), "{answer:?}");
        }
        let get = format!("GET {PATH} HTTP/1.1\r\nhost: pasar\r\n\r\n");
        assert_eq!(raw::statuses(&raw::send(address, get).await), [200]);
    }
}

/// An instance that reads a head, says something, and breaks the connection on whoever still sends.
async fn abrupt(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut read = vec![0; PART];
            let length = socket.read(&mut read).await.unwrap_or(0);
            let said = if read[..length].starts_with(b"GET ") {
                HI
            } else {
                answer
            };
            let _ = socket.write_all(said.as_bytes()).await;
        }
    });
    address
}

/// What such an instance serves is configured.
fn of_somebody(instance: SocketAddr) -> Remote {
    Remote {
        prefixes: vec![PATH.to_owned()],
        secret: Some("of this service only".to_owned()),
        ..elsewhere::remote(Service::Orders, &[instance])
    }
}

#[tokio::test]
async fn an_answer_that_came_before_the_connection_broke_is_read() {
    let keyring = Keyring::ephemeral(&SystemIds::default());
    let instance = abrupt(REFUSAL).await;
    let (_gateway, address) = elsewhere::gateway(&keyring, of_somebody(instance)).await;
    for parts in [2, 40, 100] {
        let answer = whole(address, PATH, parts).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{parts}: {answer:?}");
        let answer = chunked(address, PATH, parts).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{parts}: {answer:?}");
    }
}

/// No client can make an instance look ill by what it sends.
#[tokio::test]
async fn a_connection_that_breaks_under_a_body_takes_the_instance_from_nobody() {
    let keyring = Keyring::ephemeral(&SystemIds::default());
    let instance = abrupt("").await;
    let (_gateway, address) = elsewhere::gateway(&keyring, of_somebody(instance)).await;
    let get = format!("GET {PATH} HTTP/1.1\r\nhost: pasar\r\n\r\n");
    // More in a row than an instance may fail.
    for _ in 0..6 {
        let answer = chunked(address, PATH, 40).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    }
    assert_eq!(raw::statuses(&raw::send(address, &get).await), [200]);
}
