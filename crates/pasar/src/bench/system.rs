//! The system that is measured: one of its own in a child process, or one that runs already.

use std::{
    env,
    net::{SocketAddr, ToSocketAddrs as _},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use pasar_chassis::{host::Host, keyring::Keyring};
use pasar_contracts::api::{
    inventory::{ImportInput, ImportRow, Imported, IntakeInput},
    users::{RateLimit, Role},
};
use pasar_store::ids::{Ids as _, SystemIds};
use pasar_types::{
    money::{Money, TaxRate},
    quantity::{MAX_QUANTITY, Quantity},
    sku::Sku,
};
use pasar_users::operator::{self, MachineKey};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{orders::Args, requests::Requests};
use crate::{
    client::{Call, Client, Waits},
    locations, progress,
};

/// What a start may take before the bench gives up.
const LONGEST_START: Duration = Duration::from_secs(30);

pub(super) struct System {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    /// Only of a process of our own.
    pub(super) pid: Option<u32>,
    /// From starting the process to its first line, which says that it is ready.
    pub(super) ready: Option<Duration>,
    /// Those who order.
    customers: Vec<String>,
    staff: String,
    url: String,
    own: Option<Own>,
}

/// Killed and deleted when dropped.
struct Own {
    child: Child,
    _data: TempDir,
}

impl System {
    pub(super) async fn start(args: &Args, delay_ms: u64) -> anyhow::Result<Self> {
        match (&args.url, &args.key) {
            (Some(url), Some(key)) => Self::running(url, key),
            _ => Self::own(args, delay_ms).await,
        }
    }

    /// Makes the products, and answers how to order them.
    pub(super) async fn requests(&self, args: &Args) -> anyhow::Result<Requests> {
        let client = Client::new(self.url.clone(), Some(self.staff.clone()))?;
        let run = run_name();
        let skus = stock_up(&client, args.products, &run).await?;
        Ok(Requests::new(
            self.host.clone(),
            self.customers.clone(),
            skus,
            run,
        ))
    }

    pub(super) async fn stop(mut self) {
        if let Some(own) = &mut self.own {
            let _ = own.child.kill().await;
        }
    }

    fn running(url: &str, key: &str) -> anyhow::Result<Self> {
        let host = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/').to_owned())
            .context("the bench speaks plain HTTP only: give --url http://host:port")?;
        let mut addresses = host
            .to_socket_addrs()
            .with_context(|| format!("{host} is no address; give --url http://host:port"))?;
        Ok(Self {
            address: addresses
                .next()
                .with_context(|| format!("{host} has no address"))?,
            host,
            pid: None,
            ready: None,
            customers: vec![key.to_owned()],
            staff: key.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            own: None,
        })
    }

    async fn own(args: &Args, delay_ms: u64) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("cannot make a data folder for the bench")?;
        let (customers, staff) = seed(&data, args.customers).await?;
        let begun = Instant::now();
        let mut child = Command::new(env::current_exe()?)
            .args(["up", "--bind", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .env("PASAR_PAYMENTS__SANDBOX__DELAY_MS", delay_ms.to_string())
            .env("PASAR_LOG__FILTER", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a system of its own")?;
        let output = child.stdout.take().context("the system has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = timeout(LONGEST_START, lines.next_line()).await;
        let ready = begun.elapsed();
        let Ok(Ok(Some(line))) = first else {
            bail!("the system did not start; see what it wrote above");
        };
        // What else it says is not read, but must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = line
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned();
        let system = Self::running(&url, &staff)?;
        Ok(Self {
            pid: child.id(),
            ready: Some(ready),
            customers,
            own: Some(Own { child, _data: data }),
            ..system
        })
    }
}

/// Customers and a member of staff, written before the system starts.
async fn seed(data: &TempDir, customers: u16) -> anyhow::Result<(Vec<String>, String)> {
    let keyring = Keyring::open(data.path(), None, &SystemIds::default())?;
    let host = Host::system(data.path(), keyring, "");
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

async fn stock_up(client: &Client, products: u16, run: &str) -> anyhow::Result<Vec<String>> {
    let price = Money::from_major("25000", locations::currency(client).await?)?;
    let row = |number: u16| -> anyhow::Result<ImportRow> {
        Ok(ImportRow {
            sku: format!("{run}-{number}").parse::<Sku>()?,
            name: format!("Product {number}"),
            names: [("id".to_owned(), format!("Produk {number}"))].into(),
            price,
            tax_rate: TaxRate::from_basis_points(1100)?,
            category: Some("bench".to_owned()),
            track_stock: true,
            withdrawn: false,
        })
    };
    let rows: Vec<ImportRow> = (0..products).map(row).collect::<anyhow::Result<_>>()?;
    let skus: Vec<String> = rows.iter().map(|row| row.sku.to_string()).collect();
    let import = Call::post(
        "/v1/products/imports",
        format!("{run}-import"),
        &ImportInput { products: rows },
    );
    let mut waits = Waits::default();
    client.call::<Imported>(&import, &mut waits).await?;
    let bar = progress::bar(skus.len(), "stock");
    for sku in &skus {
        let intake = IntakeInput {
            quantity: Quantity::new(MAX_QUANTITY)?,
            location: None,
            note: None,
        };
        let call = Call::post(
            format!("/v1/stock/{sku}/intakes"),
            format!("{run}-{sku}"),
            &intake,
        );
        client.call::<Value>(&call, &mut waits).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(skus)
}

/// Another one for each run, as the products and idempotency keys of a running system stay.
fn run_name() -> String {
    let mut random = [0; 4];
    SystemIds::default().fill(&mut random);
    format!("bench-{:08x}", u32::from_be_bytes(random))
}
