//! A server that answers with exactly the bytes it is told, and counts connections and requests.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use pasar_testkit::probe::soon;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Answer>>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    open: AtomicUsize,
}

/// To one request.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

pub(crate) enum Then {
    KeepOpen,
    Close,
    /// More of the same without end, as fast as it is taken.
    Endless,
    /// A byte now and then without end.
    Drip,
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl RawServer {
    /// Answers requests in the order of the script, and 200 after it.
    pub(crate) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    pub(crate) async fn at(address: &str, script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            ..Shared::default()
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// That were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Waits until so many connections are open.
    pub(crate) async fn wait_for_open(&self, expected: usize) {
        let reached = async {
            while self.shared.open.load(Ordering::SeqCst) != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon(&format!("{expected} open connections"), reached).await;
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn answer(bytes: impl Into<Vec<u8>>, then: Then) -> Answer {
    Answer {
        bytes: bytes.into(),
        then,
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let _ = serve(stream, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while read_request(&mut stream, &mut buffer).await? {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let next = shared.script.lock().pop_front();
        let Answer { bytes, then } = next.unwrap_or_else(|| answer(OK, Then::KeepOpen));
        stream.write_all(&bytes).await?;
        match then {
            Then::KeepOpen => {}
            Then::Close => return Ok(()),
            Then::Endless => loop {
                stream.write_all(&[b'x'; 1024]).await?;
            },
            Then::Drip => loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                stream.write_all(b"x").await?;
            },
        }
    }
    Ok(())
}

/// Takes one request, whose body has a length, from the stream. False at its end.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                buffer.drain(..end + 4 + length);
                return Ok(true);
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(false);
        }
    }
}
