//! A system that the bench starts for itself, in one process or several, and ends with itself.

use std::{
    env,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::api::users::{RateLimit, Role};
use pasar_contracts::event::Service;
use pasar_store::ids::SystemIds;
use pasar_users::operator::{self, MachineKey};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{
    http::Connection,
    shape::{Planned, Shape},
};
use crate::config::Config;

/// What a start may take before the bench gives up.
const LONGEST_START: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Killed and deleted when dropped.
pub(super) struct Own {
    children: Vec<Child>,
    /// Where the processes tell what they count.
    pub(super) metrics_at: Vec<SocketAddr>,
    pub(super) url: String,
    /// From starting the first process until all were ready.
    pub(super) ready: Duration,
    pub(super) customers: Vec<String>,
    pub(super) staff: String,
    _data: TempDir,
}

impl Own {
    pub(super) async fn start(
        shape: &Shape,
        customers: u16,
        more: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a data folder for the bench")?;
        let planned = if shape.apart {
            shape.plan()?
        } else {
            Vec::new()
        };
        let config = shape.write_config(data.path(), &planned)?;
        let (customers, staff) = seed(data.path(), &config, customers).await?;
        let begun = Instant::now();
        let program = |args: &[&str]| program(data.path(), &config, more, args);
        let (children, metrics_at, url) = if shape.apart {
            let children = start_all(&planned, program).await?;
            let metrics_at: Vec<_> = planned.iter().map(|of| of.address).collect();
            let gateway = planned.last().context("a gateway is planned")?;
            (children, metrics_at, format!("http://{}", gateway.address))
        } else {
            let (child, url) = start_one(program(&["--bind", "127.0.0.1:0"])?).await?;
            (vec![child], Vec::new(), url)
        };
        Ok(Self {
            children,
            metrics_at,
            url,
            ready: begun.elapsed(),
            customers,
            staff,
            _data: data,
        })
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.children.iter().filter_map(Child::id).collect()
    }

    pub(super) async fn stop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill().await;
        }
    }
}

/// `pasar up` of this program, which ends with what it is held by.
pub(super) fn program(
    data: &Path,
    config: &Path,
    more: &[(&str, String)],
    args: &[&str],
) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command
        .arg("up")
        .args(args)
        .arg("--data")
        .arg(data)
        .arg("--config")
        .arg(config)
        .env("PASAR_LOG__FILTER", "warn")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for (name, value) in more {
        command.env(name, value);
    }
    Ok(command)
}

/// Everything in one process; its first line says where it is.
async fn start_one(mut command: Command) -> anyhow::Result<(Child, String)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a system of its own")?;
    let output = child.stdout.take().context("the system has no output")?;
    let mut lines = BufReader::new(output).lines();
    let Ok(Ok(Some(line))) = timeout(LONGEST_START, lines.next_line()).await else {
        bail!("the system did not start; see what it wrote above");
    };
    // What else it says is not read, but must not block it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let url = line.split_whitespace().last().unwrap_or_default();
    Ok((child, url.to_owned()))
}

/// A process for each instance, the gateway once all others are ready.
pub(super) async fn start_all(
    planned: &[Planned],
    program: impl Fn(&[&str]) -> anyhow::Result<Command>,
) -> anyhow::Result<Vec<Child>> {
    let (services, gateway): (Vec<_>, Vec<_>) = planned
        .iter()
        .partition(|of| of.service != Service::Gateway);
    let mut children = Vec::new();
    for several in [services, gateway] {
        for of in &several {
            let bind = of.address.to_string();
            let mut command = program(&[of.service.as_str(), "--only", "--bind", &bind])?;
            command.stdout(Stdio::null());
            let child = command.spawn();
            children.push(child.with_context(|| format!("cannot start {}", of.service))?);
        }
        for of in &several {
            let ready = timeout(LONGEST_START, until_ready(of.address)).await;
            ensure!(
                ready.is_ok(),
                "{} did not get ready; see what it wrote above",
                of.service
            );
        }
    }
    Ok(children)
}

async fn until_ready(address: SocketAddr) {
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    loop {
        if let Ok(mut connection) = Connection::open(address).await
            && let Ok(answer) = connection.send(request.as_bytes()).await
            && answer.status == 200
        {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Customers and a member of staff, written before the system starts.
async fn seed(data: &Path, config: &Path, customers: u16) -> anyhow::Result<(Vec<String>, String)> {
    let keyring = Keyring::open(data, None, &SystemIds::default())?;
    let config = Config::load(Some(config.to_owned()))?;
    let host = Host {
        databases: config.database.databases()?,
        ..Host::system(data, keyring, "")
    };
    let users = pasar_users::open(&host)?;
    let seeded = operator::seed_users(&users, customers.into()).await?;
    let staff = MachineKey {
        machine: "bench staff",
        roles: &[Role::Staff],
        scopes: &[],
        rate_limit: Some(RateLimit::Unlimited),
        api_key: None,
    };
    let staff = operator::provision_key(&users, staff).await?;
    users.close();
    Ok((seeded.into_iter().map(|user| user.api_key).collect(), staff))
}
