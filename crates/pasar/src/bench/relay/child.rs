//! The relay that is measured, in a process of its own.

use std::{env, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::api::users::{RateLimit, Role};
use pasar_store::ids::SystemIds;
use pasar_users::operator::{self, MachineKey};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{self, Command},
    time::timeout,
};

const LONGEST_START: Duration = Duration::from_secs(30);

/// Killed and deleted when dropped.
pub(super) struct Child {
    pub(super) address: SocketAddr,
    pub(super) url: String,
    pub(super) key: String,
    pub(super) pid: Option<u32>,
    process: process::Child,
    _data: TempDir,
}

impl Child {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a data folder for the bench")?;
        let key = provision(&data).await?;
        let mut process = Command::new(env::current_exe()?)
            .args(["up", "relay", "--bind", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("PASAR_RELAY__ALLOW_PRIVATE_NETWORKS", "true")
            .env("PASAR_LOG__FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a system of its own")?;
        let output = process.stdout.take().context("the system has no output")?;
        let mut lines = BufReader::new(output).lines();
        let Ok(Ok(Some(line))) = timeout(LONGEST_START, lines.next_line()).await else {
            bail!("the system did not start; see what it wrote above");
        };
        // What else it says is not read, but must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = line
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned();
        let address = url.trim_start_matches("http://").parse();
        Ok(Self {
            address: address.with_context(|| format!("{url} is no address"))?,
            pid: process.id(),
            url,
            key,
            process,
            _data: data,
        })
    }

    pub(super) async fn stop(mut self) {
        let _ = self.process.kill().await;
    }
}

async fn provision(data: &TempDir) -> anyhow::Result<String> {
    let keyring = Keyring::open(data.path(), None, &SystemIds::default())?;
    let host = Host::system(data.path(), keyring, "");
    let users = pasar_users::open(&host)?;
    let wanted = MachineKey {
        machine: "bench",
        roles: &[Role::Integrator],
        scopes: &["publish:*".to_owned(), "subscribe:*".to_owned()],
        rate_limit: Some(RateLimit::Unlimited),
        api_key: None,
    };
    let key = operator::provision_key(&users, wanted).await?;
    users.close();
    Ok(key)
}
