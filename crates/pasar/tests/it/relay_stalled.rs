//! Readers of live streams that stop reading cost the program no memory, and read on later where they stopped.

use std::{fs, net::SocketAddr};

use futures_util::future::join_all;
use pasar_testkit::{open_files, probe::soon};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::relay_alone::RelayAlone;

/// Of each kind: server-sent events, and WebSockets.
const READERS: usize = 1_000;
const MESSAGES: usize = 120;
const MESSAGE_BYTES: usize = 100_000;
/// What the program may grow by while all of them stall. Kept for each of them, what was sent would be 24 GB.
const CEILING_KB: u64 = 96 * 1024;
/// What the system keeps for a reader.
const RECEIVE_BYTES: u32 = 64 * 1024;
/// Both ends of the sockets, and what else is open.
const OPEN_FILES: u64 = 4_096;
/// Connections that are made at once.
const AT_ONCE: usize = 50;

struct Reader(TcpStream);

impl Reader {
    async fn connect(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BYTES).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// Server-sent events, from now on.
    async fn events(address: SocketAddr, key: &str) -> Self {
        let mut reader = Self::connect(address).await;
        let head = format!(
            "GET /v1/streams/client?format=data HTTP/1.1\r\nHost: pasar\r\nAuthorization: Bearer {key}\r\n\r\n"
        );
        reader.0.write_all(head.as_bytes()).await.unwrap();
        reader.until("id: ").await;
        reader
    }

    /// A WebSocket with a subscription, from now on.
    async fn web_socket(address: SocketAddr, key: &str) -> Self {
        let mut reader = Self::connect(address).await;
        let head = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: pasar\r\nAuthorization: Bearer {key}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        reader.0.write_all(head.as_bytes()).await.unwrap();
        reader.until("101 ").await;
        let text = json!({"subscribe": {"id": "s", "topics": ["client"], "format": "data"}});
        let text = text.to_string().into_bytes();
        // A text frame of one byte's length, masked with nothing.
        let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(&text);
        reader.0.write_all(&frame).await.unwrap();
        reader.until("subscribed").await;
        reader
    }

    /// Reads until this text came.
    async fn until(&mut self, text: &str) {
        let reading = async {
            let mut buffer = vec![0; 64 * 1024];
            let mut kept: Vec<u8> = Vec::new();
            loop {
                let length = self.0.read(&mut buffer).await.unwrap();
                assert_ne!(length, 0, "closed before {text}");
                kept.extend_from_slice(&buffer[..length]);
                let found = kept
                    .windows(text.len())
                    .any(|window| window == text.as_bytes());
                if found {
                    return;
                }
                let old = kept.len().saturating_sub(text.len());
                kept.drain(..old);
            }
        };
        soon(text, reading).await;
    }
}

/// Kilobytes of memory: now, and the most there ever were.
fn memory_kb(process: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn last() -> String {
    format!("\"n\":{MESSAGES},")
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_stalled_readers_of_each_kind_stay_under_a_ceiling() {
    open_files::allow(OPEN_FILES);
    let relay = RelayAlone::start();
    let address: SocketAddr = relay.url().trim_start_matches("http://").parse().unwrap();
    let key = relay.key();
    let (mut events, mut sockets) = (Vec::new(), Vec::new());
    for _ in 0..READERS / AT_ONCE {
        events.extend(join_all((0..AT_ONCE).map(|_| Reader::events(address, &key))).await);
        sockets.extend(join_all((0..AT_ONCE).map(|_| Reader::web_socket(address, &key))).await);
    }
    let (before, _) = memory_kb(relay.process_id());
    let mut quick = Reader::events(address, &key).await;
    let quick = tokio::spawn(async move { quick.until(&last()).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let filling = "x".repeat(MESSAGE_BYTES);
    for number in 1..=MESSAGES {
        let message = json!({"data": {"n": number, "x": filling}});
        let post = client.post(format!("{}/messages", relay.url()));
        let answer = post.bearer_auth(&key).json(&message).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    quick.await.unwrap();
    let (_, most) = memory_kb(relay.process_id());
    let grown = most.saturating_sub(before);
    println!("2,000 readers: {before} kB, then {grown} kB more at the most");
    assert!(grown < CEILING_KB, "{before} kB grew by {grown} kB");
    // They go on where they stopped.
    events[READERS / 2].until(&last()).await;
    sockets[READERS / 2].until(&last()).await;
    relay.stop();
}
