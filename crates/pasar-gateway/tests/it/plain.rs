//! Plain requests on the wire, between a client and an instance that both write bytes of their own.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    eventually, raw,
    script::{Act, Act::*, Scripted},
};

const SOON: Duration = Duration::from_secs(5);
const HI: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";

fn script(name: &str) -> Vec<Act> {
    let head = |text| vec![Say(text)];
    match name {
        "slow" => vec![
            Say("HTTP/1.1 200 OK\r\ncontent-le"),
            Pause,
            Say("ngth: 5\r\n\r"),
            Pause,
            Say("\nsl"),
            Pause,
            Say("ow!"),
        ],
        "early" => vec![
            Say("HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n"),
            Pause,
            Say(HI),
        ],
        "chunked" => vec![
            Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nin pa"),
            Pause,
            Say("\r\n3;x=y\r\nrts\r\n0\r\nA: b\r\n\r\n"),
        ],
        "close" => vec![Say("HTTP/1.1 200 OK\r\n\r\nuntil the end"), Pause, Close],
        "empty" => head("HTTP/1.1 204 No Content\r\n\r\n"),
        "large" => vec![
            Say("HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n"),
            Fill(300_000),
        ],
        "text" => vec![
            Say("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4000\r\n\r\n"),
            Fill(4_000),
        ],
        "extra" => head(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled",
        ),
        "late" => vec![
            Say(HI),
            Pause,
            Say("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled"),
        ],
        "named" => head(
            "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-secret\r\nx-secret: 1\r\nkeep-alive: timeout=5\r\n\
             x-shown: 1\r\ncontent-length: 2\r\n\r\nhi",
        ),
        "failed" => head(
            "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\nx-shown: 1\r\ncontent-length: 11\r\n\r\nstack trace",
        ),
        "short" => vec![
            Say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi"),
            Pause,
            Close,
        ],
        "cut" => vec![
            Say("HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n"),
            Fill(100_000),
            Close,
        ],
        "badchunk" => vec![
            Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"),
            Pause,
            Say("nonsense"),
        ],
        "nonsense" => head("HELLO\r\n\r\n"),
        "two" => head("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!"),
        "silent" => vec![Close],
        "hold" => vec![Hold],
        _ => head(HI),
    }
}

fn get(name: &str) -> String {
    format!("GET /v1/script/{name} HTTP/1.1\r\nHost: pasar\r\n\r\n")
}

/// The head and body of the next answer, whose end is told by a length or by chunks.
async fn answer(socket: &mut TcpStream, read: &mut Vec<u8>) -> (String, Vec<u8>) {
    let reading = async {
        loop {
            if let Some((head, body, end)) = whole(read) {
                read.drain(..end);
                return (head, body);
            }
            assert_ne!(
                socket.read_buf(read).await.unwrap(),
                0,
                "closed after {:?}",
                String::from_utf8_lossy(read)
            );
        }
    };
    tokio::time::timeout(SOON, reading).await.unwrap()
}

fn whole(read: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    if head.contains("transfer-encoding: chunked") {
        let (mut body, mut at) = (Vec::new(), end);
        loop {
            let line = read[at..].windows(2).position(|two| two == b"\r\n")?;
            let size = str::from_utf8(&read[at..at + line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let from = at + line + 2;
            let data = read.get(from..from + size + 2)?;
            assert!(data.ends_with(b"\r\n"));
            body.extend_from_slice(&data[..size]);
            at = from + size + 2;
            if size == 0 {
                return Some((head, body, at));
            }
        }
    }
    let length = head.split("content-length: ").nth(1);
    let length = length.map_or(0, |rest| {
        rest.split("\r\n").next().unwrap().parse().unwrap()
    });
    let body = read.get(end..end + length)?.to_vec();
    Some((head, body, end + length))
}

async fn ask(system: &Scripted, request: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    answer(&mut socket, &mut Vec::new()).await
}

#[tokio::test]
async fn an_answer_arrives_whole_however_the_instance_frames_it() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    let mut read = Vec::new();
    for (name, expected) in [
        ("plain", "hi".to_owned()),
        ("slow", "slow!".to_owned()),
        ("early", "hi".to_owned()),
        ("chunked", "in parts".to_owned()),
        ("close", "until the end".to_owned()),
        ("empty", String::new()),
        ("large", "x".repeat(300_000)),
        ("plain", "hi".to_owned()),
    ] {
        socket.write_all(get(name).as_bytes()).await.unwrap();
        let (head, body) = answer(&mut socket, &mut read).await;
        let status = if name == "empty" { "204" } else { "200" };
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {head}"
        );
        assert!(
            String::from_utf8(body).unwrap() == expected,
            "{name}: {head}"
        );
        assert!(
            head.contains("\r\ndate: ") && head.contains("\r\npasar-flow: flw_"),
            "{head}"
        );
    }
    assert!(read.is_empty());
    // All but the one that was closed go by one connection.
    assert_eq!(system.heard.connections(), 2);
}

#[tokio::test]
async fn what_an_instance_says_after_its_answer_is_nobodys() {
    let system = Scripted::start(script).await;
    for name in ["extra", "plain", "extra", "late", "plain", "plain"] {
        let (_, body) = ask(&system, &get(name)).await;
        assert_eq!(body, b"hi", "{name}");
        if name == "late" {
            // It comes while the connection lies idle.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    assert_eq!(system.heard.connections(), 4);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_or_none_is_not_passed_on_as_one() {
    let system = Scripted::start(script).await;
    let plain = |name| get(name).replacen("GET", "POST", 1);
    let other = |name| plain(name).replacen("\r\n\r\n", "\r\nCookie: a=b\r\n\r\n", 1);
    for name in ["short", "nonsense", "two", "silent"] {
        let mut requests = vec![plain(name)];
        // The head of this one is passed on before the rest is missed.
        requests.extend((name != "short").then(|| other(name)));
        for request in requests {
            let (head, body) = ask(&system, &request).await;
            assert!(head.starts_with("HTTP/1.1 503 "), "{name}: {head}");
            let body = String::from_utf8(body).unwrap();
            let advice = "repeat the request with the same Idempotency-Key";
            assert!(body.contains(advice), "{name}: {body}");
            // It may have been done: it is not sent again by itself.
            assert_eq!(system.heard.requests().len(), 1, "{name}");
            // The instance is found well again before it fails for the next time.
            assert_eq!(ask(&system, &get("plain")).await.1, b"hi");
            system.heard.forget();
        }
    }
    for (name, least) in [("cut", 100_000), ("badchunk", 2)] {
        let answer = raw::send(system.address, get(name)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{name}");
        assert!(answer.len() > least && answer.len() < 200_000, "{name}");
    }
}

#[tokio::test]
async fn fields_of_one_hop_and_what_only_the_gateway_may_say_do_not_pass() {
    let system = Scripted::start(script).await;
    let request = "POST /v1/script/named?a=b HTTP/1.1\r\nHOST: pasar\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\
                   X-Pasar-Identity: forged\r\nX-PASAR-User: me\r\nX-Forwarded-Host: evil\r\nForwarded: for=evil\r\n\
                   X-Real-IP: 1.2.3.4\r\nX-HTTP-Method-Override: DELETE\r\nX-Request-Id: mine\r\nPrefer:  wait=1 \r\n\r\nabc";
    let (head, body) = ask(&system, request).await;
    let heard = system.heard.requests().remove(0);
    let (asked, sent) = heard.split_once("\r\n\r\n").unwrap();
    let lines: Vec<_> = asked.split("\r\n").collect();
    assert_eq!(lines[0], "POST /v1/script/named?a=b HTTP/1.1");
    assert_eq!(lines[1], format!("host: {}", system.instance));
    assert_eq!(lines[2..4], ["X-Request-Id: mine", "Prefer:  wait=1 "]);
    assert_eq!(lines[4], "content-length: 3");
    assert!(
        lines[5].starts_with("x-pasar-identity: v1.") && lines.len() == 6,
        "{asked}"
    );
    assert_eq!(sent, "abc");
    assert_eq!(body, b"hi");
    assert!(head.contains("x-request-id: mine\r\n"), "{head}");
    assert!(head.contains("x-shown: 1\r\n"), "{head}");
    assert!(
        !head.contains("x-secret") && !head.contains("keep-alive"),
        "{head}"
    );
    assert!(!head.contains("connection:"), "{head}");
}

#[tokio::test]
async fn what_is_not_said_as_a_problem_is_made_one() {
    let system = Scripted::start(script).await;
    let (head, body) = ask(&system, &get("failed")).await;
    let body = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(
        head.contains("content-type: application/problem+json"),
        "{head}"
    );
    assert!(head.contains("x-shown: 1\r\n"), "{head}");
    assert!(
        body.contains("/problems/internal") && !body.contains("stack"),
        "{body}"
    );
}

#[tokio::test]
async fn an_answer_is_compressed_for_who_takes_it() {
    let system = Scripted::start(script).await;
    let request = get("text").replacen("\r\n\r\n", "\r\nAccept-Encoding: br, gzip\r\n\r\n", 1);
    let (head, body) = ask(&system, &request).await;
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    assert!(body.len() < 1_000);
    let (head, body) = ask(&system, &get("text")).await;
    assert!(!head.contains("content-encoding"), "{head}");
    assert_eq!(body.len(), 4_000);
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    let all = get("slow") + &get("plain") + &get("chunked") + &get("plain");
    socket.write_all(all.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    for expected in ["slow!", "hi", "in parts", "hi"] {
        let (_, body) = answer(&mut socket, &mut read).await;
        assert_eq!(body, expected.as_bytes());
    }
    assert_eq!(system.heard.requests().len(), 4);
}

#[tokio::test]
async fn what_is_sent_while_an_answer_is_waited_for_is_read_after_it() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(get("slow").as_bytes()).await.unwrap();
    eventually("the first request", || system.heard.requests().len() == 1).await;
    let second = get("plain");
    let (begin, end) = second.split_at(20);
    socket.write_all(begin.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    assert_eq!(answer(&mut socket, &mut read).await.1, b"slow!");
    socket.write_all(end.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut socket, &mut read).await.1, b"hi");
}

#[tokio::test]
async fn a_connection_may_turn_from_plain_requests_to_others() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    let chunked = "POST /v1/script/other HTTP/1.1\r\nHost: pasar\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\n\r\n";
    let all = get("plain") + chunked + &get("plain");
    socket.write_all(all.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    for _ in 0..3 {
        assert_eq!(answer(&mut socket, &mut read).await.1, b"hi");
    }
    let heard = system.heard.requests();
    let lines: Vec<_> = heard
        .iter()
        .map(|request| request.split('/').nth(3))
        .collect();
    assert_eq!(
        lines,
        [Some("plain HTTP"), Some("other HTTP"), Some("plain HTTP")]
    );
}

#[tokio::test]
async fn an_instance_learns_that_its_client_has_gone() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(get("hold").as_bytes()).await.unwrap();
    eventually("the request", || system.heard.requests().len() == 1).await;
    assert_eq!(system.heard.given_up(), 0);
    // Long before the request would have taken too long.
    drop(socket);
    eventually("its end", || system.heard.given_up() == 1).await;
}

#[tokio::test]
async fn an_instance_that_takes_too_long_is_given_up() {
    let system = Scripted::with(script, |config| config.timeouts.request_ms = 300).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    let mut read = Vec::new();
    for so_far in 1..3 {
        socket.write_all(get("hold").as_bytes()).await.unwrap();
        let (head, _) = answer(&mut socket, &mut read).await;
        assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
        eventually("its end", || system.heard.given_up() == so_far).await;
    }
}

#[tokio::test]
async fn a_client_that_wants_the_connection_closed_has_it_closed() {
    let system = Scripted::start(script).await;
    let request = get("plain").replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    let all = request + &get("plain");
    socket.write_all(all.as_bytes()).await.unwrap();
    let text = raw::read(&mut socket).await;
    assert_eq!(raw::statuses(&text), [200]);
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert!(raw::is_closed_within(&mut socket, SOON).await);
    assert_eq!(system.heard.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_in_the_drain_says_that_it_is_the_last() {
    let system = Scripted::start(script).await;
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(get("slow").as_bytes()).await.unwrap();
    eventually("the request", || system.heard.requests().len() == 1).await;
    let tasks = system.host.tasks.clone();
    let drain = tokio::spawn(async move { tasks.drain(SOON).await });
    eventually("the drain", || system.host.tasks.is_draining()).await;
    let (head, body) = answer(&mut socket, &mut Vec::new()).await;
    assert_eq!(body, b"slow!");
    assert!(head.contains("connection: close\r\n"), "{head}");
    assert_eq!(drain.await.unwrap(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so_and_asks_nobody() {
    let system = Scripted::with(script, |config| config.timeouts.body_ms = 200).await;
    let begun = "POST /v1/script/plain HTTP/1.1\r\nHost: pasar\r\nContent-Length: 10\r\n\r\nhalf";
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(begun.as_bytes()).await.unwrap();
    let (head, _) = answer(&mut socket, &mut Vec::new()).await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(raw::is_closed_within(&mut socket, SOON).await);
    let mut socket = TcpStream::connect(system.address).await.unwrap();
    socket.write_all(begun.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let (head, _) = answer(&mut socket, &mut Vec::new()).await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert_eq!(system.heard.requests(), Vec::<String>::new());
}
