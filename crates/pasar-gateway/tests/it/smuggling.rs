//! One request of a client is one request to a service, or a 400, however its framing can be read.

use crate::support::{System, raw};

const SMUGGLED: &str = "GET /v1/orders/smuggled HTTP/1.1\r\nHost: pasar\r\n\r\n";

/// Name, the head's framing lines, and what follows the head, before [`SMUGGLED`].
const AMBIGUOUS: [(&str, &str, &str); 22] = [
    (
        "CL.TE",
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE.CL",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE.CL with a longer chunk",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "1\r\nA\r\n0\r\n\r\n",
    ),
    (
        "doubled CL, different",
        "Content-Length: 0\r\nContent-Length: 44\r\n",
        "",
    ),
    ("doubled CL in a list", "Content-Length: 0, 44\r\n", ""),
    ("CL with a sign", "Content-Length: +0\r\n", ""),
    ("CL negative", "Content-Length: -1\r\n", ""),
    ("CL in hex", "Content-Length: 0x0\r\n", ""),
    ("CL with a space inside", "Content-Length: 0 0\r\n", ""),
    (
        "CL of too many digits",
        "Content-Length: 18446744073709551616\r\n",
        "",
    ),
    ("CL empty", "Content-Length:\r\n", ""),
    (
        "space before the colon",
        "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
    ),
    (
        "space before the name",
        "Content-Length: 5\r\n Transfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE unknown",
        "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE identity after chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE chunked not last",
        "Transfer-Encoding: chunked, gzip\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE with a tab",
        "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
    ),
    (
        "TE twice in a list",
        "Transfer-Encoding: chunked, chunked\r\n",
        "0\r\n\r\n",
    ),
    (
        "chunk size in C",
        "Transfer-Encoding: chunked\r\n",
        "0x0\r\n\r\n",
    ),
    (
        "chunk size too large",
        "Transfer-Encoding: chunked\r\n",
        "10000000000000000\r\n\r\n",
    ),
    (
        "chunk size negative",
        "Transfer-Encoding: chunked\r\n",
        "-1\r\n\r\n",
    ),
    (
        "chunk data too long",
        "Transfer-Encoding: chunked\r\n",
        "1\r\nAAAA\r\n0\r\n\r\n",
    ),
];

async fn check(name: &str, bytes: &[u8]) {
    let system = System::start().await;
    let answer = raw::send(system.address, bytes).await;
    let seen = system.orders.seen();
    let statuses = raw::statuses(&answer);
    assert!(seen.len() <= 1, "{name}: {seen:?}\n{answer}");
    assert!(
        !seen.iter().any(|line| line.contains("smuggled")),
        "{name}: {seen:?}\n{answer}"
    );
    assert!(statuses.len() <= 1, "{name}: {answer}");
    let refused = matches!(statuses[..], [] | [400 | 408 | 413 | 431]);
    assert!(refused || seen.len() == 1, "{name}: {answer}");
}

#[tokio::test]
async fn ambiguous_lengths_carry_no_second_request() {
    for (name, framing, body) in AMBIGUOUS {
        let request =
            format!("POST /v1/orders HTTP/1.1\r\nHost: pasar\r\n{framing}\r\n{body}{SMUGGLED}");
        check(name, request.as_bytes()).await;
    }
}

#[tokio::test]
async fn old_versions_and_chunks_do_not_mix() {
    let request = format!(
        "POST /v1/orders HTTP/1.0\r\nHost: pasar\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n{SMUGGLED}"
    );
    check("HTTP/1.0 with chunks", request.as_bytes()).await;
    check("HTTP/0.9", b"GET /v1/orders\r\n").await;
    let odd = format!(
        "GET /v1/orders HTTP/1.2\r\nHost: pasar\r\nContent-Length: 0\r\nTransfer-Encoding: x\r\n\r\n{SMUGGLED}"
    );
    check("HTTP/1.2", odd.as_bytes()).await;
}

#[tokio::test]
async fn bare_line_feeds_and_control_characters_split_nothing() {
    for (name, request) in [
        (
            "bare LF in the head",
            "POST /v1/orders HTTP/1.1\nHost: pasar\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        ),
        (
            "bare LF in a value",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX: a\nTransfer-Encoding: gzip\r\n\r\n",
        ),
        (
            "bare CR in a value",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            "bare LF after a chunk size",
            "POST /v1/orders HTTP/1.1\r\nHost: pasar\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
        ),
        (
            "NUL in a value",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX: a\0b\r\n\r\n",
        ),
        (
            "NUL in a name",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX\0: a\r\n\r\n",
        ),
        (
            "folded line",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n",
        ),
        (
            "no host",
            "GET /v1/orders HTTP/1.1\r\nConnection: close\r\n\r\n",
        ),
        (
            "two hosts",
            "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\nHost: evil\r\nConnection: close\r\n\r\n",
        ),
        (
            "space in the target",
            "GET /v1/orders /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
        ),
        (
            "chunk extension with LF",
            "POST /v1/orders HTTP/1.1\r\nHost: pasar\r\nTransfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n",
        ),
    ] {
        check(name, request.as_bytes()).await;
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let system = System::start().await;
    let requests = "GET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n".repeat(3)
        + "POST /v1/orders HTTP/1.1\r\nHost: pasar\r\nContent-Length: 3\r\n\r\nabc"
        + "GET /v1/orders/teapot HTTP/1.1\r\nHost: pasar\r\nConnection: close\r\n\r\n";
    let answer = raw::send(system.address, requests).await;
    assert_eq!(
        raw::statuses(&answer),
        [200, 200, 200, 200, 400],
        "{answer}"
    );
    assert_eq!(system.orders.seen().len(), 5);
}
