//! The system that is measured: one of its own in a child process, or one that runs already.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::Context as _;
use pasar_contracts::api::inventory::{ImportInput, ImportRow, Imported, IntakeInput};
use pasar_store::ids::{Ids as _, SystemIds};
use pasar_types::{
    money::{Money, TaxRate},
    quantity::{MAX_QUANTITY, Quantity},
    sku::Sku,
};
use serde_json::Value;

use super::{
    http::Connection, metrics::Counted, orders::Args, own::Own, process, requests::Requests,
};
use crate::{
    client::{Call, Client, Waits},
    locations, progress,
};

pub(super) struct System {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    /// Those who order.
    customers: Vec<String>,
    staff: String,
    url: String,
    own: Option<Own>,
}

impl System {
    pub(super) async fn start(args: &Args, delay_ms: u64) -> anyhow::Result<Self> {
        if let (Some(url), Some(key)) = (&args.url, &args.key) {
            return Self::running(url, key);
        }
        let delay = ("PASAR_PAYMENTS__SANDBOX__DELAY_MS", delay_ms.to_string());
        let own = Own::start(&args.shape, args.customers, &[delay]).await?;
        let system = Self::running(&own.url, &own.staff)?;
        Ok(Self {
            customers: own.customers.clone(),
            own: Some(own),
            ..system
        })
    }

    /// From starting the first process until all were ready.
    pub(super) fn ready(&self) -> Option<Duration> {
        Some(self.own.as_ref()?.ready)
    }

    /// Over the processes of a system of our own; `None` if one does not tell.
    pub(super) fn sum<T: std::iter::Sum>(&self, figure: fn(u32) -> Option<T>) -> Option<T> {
        let pids = self.own.as_ref()?.pids();
        pids.into_iter().map(figure).sum()
    }

    pub(super) fn cpu(&self) -> Option<Duration> {
        self.sum(process::cpu)
    }

    /// What the stores counted, in all processes.
    pub(super) async fn counted(&self) -> Option<Counted> {
        let told = self.own.as_ref().map(|own| own.metrics_at.as_slice());
        let told = told.filter(|told| !told.is_empty());
        let mut counted = Counted::default();
        for address in told.unwrap_or(&[self.address]) {
            let mut connection = Connection::open(*address).await.ok()?;
            counted += Counted::read(&mut connection, &self.host).await?;
        }
        Some(counted)
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
            own.stop().await;
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
            customers: vec![key.to_owned()],
            staff: key.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            own: None,
        })
    }
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
