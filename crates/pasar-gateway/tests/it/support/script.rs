//! A service of somebody else in another process, which answers byte by byte what a test wants it to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use pasar_chassis::{host::Host, keyring::Keyring, telemetry::Metrics};
use pasar_feed::follow::Feeds;
use pasar_gateway::{config::Config, gateway, remote::Remote};
use pasar_store::ids::SystemIds;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What an instance does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Say(&'static str),
    /// So many bytes.
    Fill(usize),
    /// Long enough for what was said to arrive by itself.
    Pause,
    Close,
    /// Says nothing until the gateway closes.
    Hold,
}

/// What the instance was asked, and by how many connections.
#[derive(Default)]
pub(crate) struct Heard {
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    given_up: AtomicUsize,
}

/// A gateway in front of one instance, which answers by the last segment of the path.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) host: Host,
    pub(crate) instance: SocketAddr,
    pub(crate) heard: Arc<Heard>,
}

type Script = fn(&str) -> Vec<Act>;

impl Scripted {
    pub(crate) async fn start(script: Script) -> Self {
        Self::with(script, |_| {}).await
    }

    pub(crate) async fn with(script: Script, change: impl FnOnce(&mut Config)) -> Self {
        let heard = Arc::new(Heard::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&heard), script));
        let keyring = Keyring::ephemeral(&SystemIds::default());
        let host = Host::system(".", keyring, "http://pasar.test");
        let mut config = Config {
            bind: ([127, 0, 0, 1], 0).into(),
            ..Config::default()
        };
        config.rate_limits.anonymous.requests = 0;
        change(&mut config);
        let remote = Remote {
            name: "script".to_owned(),
            urls: vec![format!("http://{instance}")],
            prefixes: vec!["/v1/script".to_owned()],
            secret: Some("of the script only".to_owned()),
        };
        let listener = gateway::bind(&config).await.unwrap();
        let metrics = Metrics::detached().unwrap();
        let feeds = Feeds::new();
        let started = gateway::start(
            &host,
            config,
            listener,
            metrics,
            Vec::new(),
            vec![remote],
            &feeds,
        );
        let address = started.await.unwrap().address;
        host.health.booted();
        Self {
            address,
            host,
            instance,
            heard,
        }
    }
}

impl Heard {
    /// The requests as they came, those of health left out.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }

    pub(crate) fn forget(&self) {
        self.requests.lock().clear();
    }

    /// The connections that requests came by.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// How many held requests the gateway has given up.
    pub(crate) fn given_up(&self) -> usize {
        self.given_up.load(SeqCst)
    }
}

async fn serve(listener: TcpListener, heard: Arc<Heard>, script: Script) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(converse(socket, Arc::clone(&heard), script));
    }
}

async fn converse(mut socket: TcpStream, heard: Arc<Heard>, script: Script) {
    let mut read = Vec::new();
    let mut is_new = true;
    loop {
        let Some(request) = next(&mut socket, &mut read).await else {
            return;
        };
        let path = request.split(' ').nth(1).unwrap_or_default();
        if path == "/readyz" {
            let _ = socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
            continue;
        }
        if std::mem::take(&mut is_new) {
            heard.connections.fetch_add(1, SeqCst);
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let acts = script(name.split('?').next().unwrap_or_default());
        heard.requests.lock().push(request);
        for act in acts {
            let done = match act {
                Act::Say(text) => socket.write_all(text.as_bytes()).await.is_ok(),
                Act::Fill(length) => socket.write_all(&vec![b'x'; length]).await.is_ok(),
                Act::Pause => {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    true
                }
                Act::Close => false,
                Act::Hold => {
                    let _ = socket.read(&mut [0]).await;
                    heard.given_up.fetch_add(1, SeqCst);
                    false
                }
            };
            if !done {
                return;
            }
        }
    }
}

/// Head and body of the next request; the body by its length, or as far as its last chunk.
async fn next(socket: &mut TcpStream, read: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(read).into_owned();
        if let Some(end) = text.find("\r\n\r\n").map(|at| at + 4) {
            let head = text[..end].to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
            let end = if head.contains("transfer-encoding") {
                text.find("0\r\n\r\n").map(|at| at + 5)
            } else {
                Some(end + length.unwrap_or(0))
            };
            if let Some(end) = end.filter(|end| *end <= read.len()) {
                read.drain(..end);
                return Some(text[..end].to_owned());
            }
        }
        if socket.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}
