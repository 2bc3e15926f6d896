//! What is measured: a relay of its own in a child process, or an nginx with nchan that runs already.

use std::{cell::RefCell, env, net::SocketAddr, process::Stdio, rc::Rc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::api::users::{RateLimit, Role};
use pasar_store::ids::SystemIds;
use pasar_users::operator::{self, MachineKey};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::readers::{self, Kind};
use crate::bench::{http::Connection, process};

/// Cheap to clone; killed and deleted with [`Target::stop`], or with the last clone.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pids: Vec<u32>,
    /// `None` for nchan.
    key: Option<Rc<str>>,
    own: Rc<RefCell<Option<Own>>>,
}

struct Own {
    child: Child,
    _data: TempDir,
}

pub(super) struct Publisher {
    connection: Connection,
    head: String,
    wraps: bool,
}

const LONGEST_START: Duration = Duration::from_secs(30);
/// Of the relay that is measured: above every number of connections that can be asked for.
const CONNECTIONS: &str = "60000";

impl Target {
    pub(super) async fn start(nchan: Option<SocketAddr>, pids: &[u32]) -> anyhow::Result<Self> {
        match nchan {
            Some(address) => Ok(Self {
                address,
                pids: pids.to_vec(),
                key: None,
                own: Rc::default(),
            }),
            None => Self::own().await,
        }
    }

    async fn own() -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a data folder for the bench")?;
        let key = provision(&data).await?;
        let mut child = Command::new(env::current_exe()?)
            .args(["up", "relay", "--bind", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("PASAR_LOG__FILTER", "warn")
            .env("PASAR_GATEWAY__LIMITS__CONNECTIONS", CONNECTIONS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a relay of its own")?;
        let output = child.stdout.take().context("the relay has no output")?;
        let mut lines = BufReader::new(output).lines();
        let Ok(Ok(Some(line))) = timeout(LONGEST_START, lines.next_line()).await else {
            bail!("the relay did not start; see what it wrote above");
        };
        readers::drain_lines(lines);
        let url = line.split_whitespace().last().unwrap_or_default();
        let address = url.strip_prefix("http://").and_then(|rest| {
            rest.trim_end_matches('/')
                .replace("localhost", "127.0.0.1")
                .parse::<SocketAddr>()
                .ok()
        });
        Ok(Self {
            address: address.with_context(|| format!("the relay's first line ends with {url}"))?,
            pids: child.id().into_iter().collect(),
            key: Some(key.into()),
            own: Rc::new(RefCell::new(Some(Own { child, _data: data }))),
        })
    }

    pub(super) async fn stop(&self) {
        let own = self.own.borrow_mut().take();
        if let Some(mut own) = own {
            let _ = own.child.kill().await;
        }
    }

    /// Over its processes; `None` if one does not tell.
    pub(super) fn sum(&self, figure: impl Fn(u32) -> Option<u64>) -> Option<u64> {
        self.pids.iter().map(|pid| figure(*pid)).sum()
    }

    pub(super) fn cpu(&self) -> Option<Duration> {
        self.pids.iter().map(|pid| process::cpu(*pid)).sum()
    }

    /// What opens a stream.
    pub(super) fn subscribe(&self, kind: Kind) -> Vec<u8> {
        let address = self.address;
        let Some(key) = &self.key else {
            return format!(
                "GET /sub HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n"
            )
            .into();
        };
        let (path, fields) = match kind {
            Kind::Sse => (
                "/v1/streams/client?format=data",
                "accept: text/event-stream\r\n",
            ),
            Kind::WebSocket => (
                "/v1/ws",
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            ),
        };
        format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n{fields}\r\n"
        )
        .into()
    }
}

impl Publisher {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let address = target.address;
        let head = match &target.key {
            Some(key) => format!(
                "POST /v1/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
                 content-type: application/json\r\n"
            ),
            None => format!("POST /pub HTTP/1.1\r\nhost: {address}\r\n"),
        };
        Ok(Self {
            connection: Connection::open(address).await?,
            head,
            wraps: target.key.is_some(),
        })
    }

    pub(super) async fn publish(&mut self, data: &str) -> anyhow::Result<()> {
        let body = if self.wraps {
            format!("{{\"data\":{data}}}")
        } else {
            data.to_owned()
        };
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        let answer = self.connection.send(request.as_bytes()).await?;
        ensure!(
            (200..300).contains(&answer.status),
            "publishing was answered with {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        Ok(())
    }
}

/// A key that may publish and subscribe, written before the relay starts.
async fn provision(data: &TempDir) -> anyhow::Result<String> {
    let keyring = Keyring::open(data.path(), None, &SystemIds::default())?;
    let host = Host::system(data.path(), keyring, "");
    let users = pasar_users::open(&host)?;
    let machine = MachineKey {
        machine: "bench",
        roles: &[Role::Integrator],
        scopes: &["publish:client".to_owned(), "subscribe:client".to_owned()],
        rate_limit: Some(RateLimit::Unlimited),
        api_key: None,
    };
    let key = operator::provision_key(&users, machine).await?;
    users.close();
    Ok(key)
}
