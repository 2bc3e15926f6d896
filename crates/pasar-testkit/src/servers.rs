//! Real brokers, as `cargo xtask servers` started them, and ways to take them away for a while.
//!
//! Where they run stands in the file that `PASAR_TEST_SERVERS` names. A test that finds no server of its
//! kind ends at once and says so on standard error: the test command counts them, and fails for it in CI.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch},
    task::{JoinHandle, JoinSet},
};

/// A server that runs.
pub struct Server {
    pub kind: &'static str,
    /// On 127.0.0.1, which is also called `localhost` in its certificate.
    pub port: u16,
    pub tls_port: u16,
    /// May do everything.
    pub user: String,
    /// May only use what is called `allowed`: channels of Redis, subjects of NATS and topics of MQTT.
    pub limited_user: String,
    /// Of both.
    pub password: String,
    /// PEM of the authority that signed its certificate, and of one that did not.
    pub ca: String,
    pub other_ca: String,
    xtask: PathBuf,
    target: PathBuf,
    _held: Held,
}

#[expect(dead_code, reason = "guards are held, not looked at")]
enum Held {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

/// `servers.json`.
#[derive(Deserialize)]
struct Listing {
    user: String,
    limited_user: String,
    password: String,
    ca: PathBuf,
    other_ca: PathBuf,
    servers: HashMap<String, Ports>,
    xtask: PathBuf,
    /// Of the workspace that started them, which need not be the one under test.
    target: PathBuf,
}

#[derive(Deserialize)]
struct Ports {
    port: u16,
    tls_port: u16,
}

impl Server {
    /// The server of a kind, which other tests use too.
    pub async fn shared(kind: &'static str) -> Option<Self> {
        let held = Held::Shared(lock(kind).read_owned().await);
        Self::find(kind, held)
    }

    /// The server of a kind, when no other test of this process uses it: it may be stopped.
    pub async fn alone(kind: &'static str) -> Option<Self> {
        let held = Held::Alone(lock(kind).write_owned().await);
        Self::find(kind, held)
    }

    fn find(kind: &'static str, held: Held) -> Option<Self> {
        let found = listing().and_then(|mut listing| {
            let ports = listing.servers.remove(kind)?;
            Some((listing, ports))
        });
        let Some((listing, ports)) = found else {
            skipped(kind);
            return None;
        };
        let read = |path| fs::read_to_string(path).expect("a certificate authority");
        Some(Self {
            kind,
            port: ports.port,
            tls_port: ports.tls_port,
            user: listing.user,
            limited_user: listing.limited_user,
            password: listing.password,
            ca: read(listing.ca),
            other_ca: read(listing.other_ca),
            xtask: listing.xtask,
            target: listing.target,
            _held: held,
        })
    }

    /// Of a database of PostgreSQL, in which a test makes schemas.
    #[must_use]
    pub fn postgres_url(&self) -> String {
        let Self {
            user,
            password,
            port,
            ..
        } = self;
        format!("postgres://{user}:{password}@127.0.0.1:{port}/postgres")
    }

    /// Ends its process. Only for one that the test has [alone](Self::alone).
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        self.told("stop").await;
    }

    /// Ends its process as a crash would. Only for one that the test has [alone](Self::alone).
    ///
    /// # Panics
    /// If it does not end.
    pub async fn kill(&self) {
        self.told("kill").await;
    }

    /// Starts it again, on the same ports and data; it answers when this returns.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(&self) {
        self.told("start").await;
    }

    async fn told(&self, what: &str) {
        let output = Command::new(&self.xtask)
            .args(["servers", what, self.kind])
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("xtask runs");
        assert!(
            output.status.success(),
            "cannot {what} {}: {}",
            self.kind,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Says so past what the harness keeps to itself while a test passes.
fn skipped(kind: &str) {
    let test = std::thread::current();
    let test = test.name().unwrap_or_default();
    let line =
        format!("skipped: no {kind}; run `cargo xtask servers run -- cargo test` ({test})\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

fn lock(kind: &'static str) -> Arc<RwLock<()>> {
    type Locks = HashMap<&'static str, Arc<RwLock<()>>>;
    static LOCKS: LazyLock<Mutex<Locks>> = LazyLock::new(Mutex::default);
    Arc::clone(LOCKS.lock().entry(kind).or_default())
}

fn listing() -> Option<Listing> {
    let bytes = match env::var_os("PASAR_TEST_SERVERS") {
        Some(path) => fs::read(path).expect("the list of servers that PASAR_TEST_SERVERS names"),
        // They may have been started by hand.
        None => fs::read(target()?.join("servers/servers.json")).ok()?,
    };
    Some(serde_json::from_slice(&bytes).expect("a list of servers"))
}

fn target() -> Option<PathBuf> {
    let own = || {
        env::var_os("CARGO_MANIFEST_DIR").map(|package| PathBuf::from(package).join("../../target"))
    };
    env::var_os("CARGO_TARGET_DIR").map_or_else(own, |target| Some(target.into()))
}

/// A wire to a server that can be cut: the server stays, and so do others that use it.
pub struct Wire {
    port: u16,
    connections: Arc<AtomicUsize>,
    state: watch::Sender<WireState>,
    task: JoinHandle<()>,
}

impl Wire {
    /// To a port on 127.0.0.1.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let own = listener.local_addr().expect("a bound port has an address");
        let (state, now) = watch::channel(WireState {
            is_up: true,
            is_stalled: false,
            cuts: 0,
        });
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let connections = Arc::<AtomicUsize>::default();
        let carrying = carry(listener, to, now, Arc::clone(&connections));
        Self {
            port: own.port(),
            connections,
            state,
            task: tokio::spawn(carrying),
        }
    }

    /// The port of this end.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many connections came, those that were ended at once included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends all connections, and new ones at once.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.is_up = false;
            state.cuts += 1;
        });
    }

    /// Carries nothing more on any connection, and ends none: as a cable that was pulled out.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.is_stalled = true);
    }

    pub fn mend(&self) {
        self.state.send_modify(|state| {
            state.is_up = true;
            state.is_stalled = false;
        });
    }

    /// Ends all connections; new ones work at once.
    pub fn blink(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }
}

#[derive(Clone, Copy)]
struct WireState {
    is_up: bool,
    is_stalled: bool,
    cuts: u64,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    listener: TcpListener,
    to: SocketAddr,
    mut now: watch::Receiver<WireState>,
    came: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    let mut cuts = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                came.fetch_add(1, Ordering::Relaxed);
                if let (Ok((stream, _)), true) = (accepted, now.borrow().is_up) {
                    connections.spawn(one(stream, to, now.clone()));
                }
            }
            changed = now.changed() => {
                if changed.is_err() {
                    return;
                }
                if now.borrow().cuts != cuts {
                    cuts = now.borrow().cuts;
                    connections.abort_all();
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn one(
    mut near: TcpStream,
    to: SocketAddr,
    mut now: watch::Receiver<WireState>,
) -> io::Result<()> {
    let mut far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let copying = tokio::io::copy_bidirectional(&mut near, &mut far);
    tokio::pin!(copying);
    loop {
        let stalled = tokio::select! {
            biased;
            stalled = now.wait_for(|state| state.is_stalled) => stalled.is_ok(),
            copied = &mut copying => return copied.map(|_| ()),
        };
        if !stalled || now.wait_for(|state| !state.is_stalled).await.is_err() {
            // The wire is gone.
            return Ok(());
        }
    }
}
