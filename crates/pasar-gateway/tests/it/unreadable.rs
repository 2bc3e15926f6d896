//! What cannot be read as a request is refused by a problem too, wherever on a connection it comes.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{System, raw};

/// Bytes, the status, and the type of the problem.
fn unreadable() -> Vec<(Vec<u8>, u16, &'static str)> {
    let large = "a".repeat(100_000);
    let many = (0..150)
        .map(|n| format!("x-{n}: a\r\n"))
        .collect::<String>();
    let post = "POST /v1/orders HTTP/1.1\r\nHost: pasar\r\n";
    let get = "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n";
    let texts = [
        (format!("{get}X: {large}\r\n\r\n"), 431, "headers-too-large"),
        (format!("{get}{many}\r\n"), 431, "headers-too-large"),
        (
            format!("GET /v1/orders?{large} HTTP/1.1\r\nHost: pasar\r\n\r\n"),
            414,
            "uri-too-long",
        ),
        (
            format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
            400,
            "invalid-request",
        ),
        (
            format!("{post}Content-Length: -1\r\n\r\n"),
            400,
            "invalid-request",
        ),
        (
            "GET /v1/orders HTTP/3.0\r\nHost: pasar\r\n\r\n".to_owned(),
            400,
            "invalid-request",
        ),
        ("GET /v1/orders\r\n\r\n".to_owned(), 400, "invalid-request"),
    ];
    let mut all: Vec<_> = texts
        .into_iter()
        .map(|(text, status, kind)| (text.into_bytes(), status, kind))
        .collect();
    all.push((
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, b'\n', b'\r', b'\n'],
        400,
        "invalid-request",
    ));
    all
}

fn check(answer: &str, status: u16, kind: &str) {
    assert_eq!(raw::statuses(answer), [status], "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    assert!(head.contains("connection: close"), "{head}");
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(body.contains(&format!("/problems/{kind}")), "{body}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_a_problem() {
    let system = System::start().await;
    for (bytes, status, kind) in unreadable() {
        check(&raw::send(system.address, bytes).await, status, kind);
    }
    assert_eq!(system.orders.seen(), Vec::<String>::new());
}

/// After a request that is served by others than plain ones are.
#[tokio::test]
async fn a_later_request_that_cannot_be_read_is_refused_in_the_same_way() {
    let system = System::start().await;
    let first = "OPTIONS /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n";
    for (bytes, status, kind) in unreadable() {
        let mut socket = TcpStream::connect(system.address).await.unwrap();
        socket.write_all(first.as_bytes()).await.unwrap();
        let answer = raw::read(&mut socket).await;
        assert_eq!(raw::statuses(&answer), [204], "{answer}");
        let _ = socket.write_all(&bytes).await;
        check(&raw::read(&mut socket).await, status, kind);
    }
}
