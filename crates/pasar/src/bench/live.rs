//! `pasar bench live`: what open streams cost, and how fast a message reaches many of them.
//!
//! The generator reads on one thread and knows no more of a stream than it must, so that the same reader
//! measures another server too (`--nchan`).

mod readers;
mod report;
mod target;

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{
    task::{JoinSet, LocalSet},
    time::timeout,
};

use self::{
    readers::{Kind, Readers},
    report::{Deliveries, Idle, Report},
    target::{Publisher, Target},
};
use super::process;
use crate::latency::Latencies;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Subscribers of the phases that deliver
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    subscribers: u32,
    /// Connections of the phases that lie idle; 0 leaves them out
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    idle: u32,
    /// Messages a second of the steady phase
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Seconds of the steady phase
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Messages of the saturated phase
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Measure an nginx with nchan here, publishing to /pub and subscribing to /sub, instead of Pasar
    #[arg(long, requires = "pids")]
    nchan: Option<SocketAddr>,
    /// Its processes
    #[arg(long, value_delimiter = ',')]
    pids: Vec<u32>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// How long connections lie still before memory is read.
const STILL: Duration = Duration::from_secs(5);
/// Bytes of a message's data, about.
const PAYLOAD_BYTES: usize = 100;
/// Connections that publish in the saturated phase.
const PUBLISHERS: u32 = 64;
/// For the last delivery to come after the last message was published.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    LocalSet::new().run_until(measure(&args)).await
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::begin();
    if args.idle > 0 {
        for kind in [Kind::Sse, Kind::WebSocket] {
            if kind == Kind::Sse || args.nchan.is_none() {
                report.idle.push(idle(args, kind).await?);
            }
        }
    }
    let target = Target::start(args.nchan, &args.pids).await?;
    report.steady = Some(steady(args, &target).await?);
    report.saturated = Some(saturated(args, &target).await?);
    report.peak_kib = target.sum(process::peak_resident_kib);
    target.stop().await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

/// Memory of connections on which nothing happens, each kind on a system of its own.
async fn idle(args: &Args, kind: Kind) -> anyhow::Result<Idle> {
    let target = Target::start(args.nchan, &args.pids).await?;
    // What the first connections bring about by being the first is not theirs.
    drop(Readers::open(&target, kind, 100, None).await?);
    tokio::time::sleep(STILL).await;
    let before = target.sum(process::resident_kib);
    let readers = Readers::open(&target, kind, args.idle, None).await?;
    tokio::time::sleep(STILL).await;
    let after = target.sum(process::resident_kib);
    readers.check_open()?;
    let grown = after
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    target.stop().await;
    Ok(Idle {
        kind: kind.name(),
        connections: args.idle,
        bytes_per_connection: grown.map(|kib| kib * 1024 / u64::from(args.idle)),
    })
}

/// Messages at a rate that leaves the system time.
async fn steady(args: &Args, target: &Target) -> anyhow::Result<Deliveries> {
    let count = u64::from(args.rate) * args.seconds;
    let began = Instant::now();
    let last = marker("steady");
    let readers = Readers::open(target, Kind::Sse, args.subscribers, Some((&last, began))).await?;
    let cost = Cost::begin(target);
    let first = Instant::now();
    let mut publisher = Publisher::open(target).await?;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / args.rate);
    for number in 0..count {
        tick.tick().await;
        let end = if number + 1 == count {
            last.as_str()
        } else {
            ""
        };
        publisher.publish(&payload(began, end)).await?;
    }
    let counted = readers.finish(PATIENCE, count).await?;
    Ok(cost.end(target, args, count, first.elapsed(), &counted))
}

/// Messages as fast as they are taken, each publisher one after the other.
async fn saturated(args: &Args, target: &Target) -> anyhow::Result<Deliveries> {
    let count = u64::from(args.messages);
    let began = Instant::now();
    let last = marker("saturated");
    let readers = Readers::open(target, Kind::Sse, args.subscribers, Some((&last, began))).await?;
    let cost = Cost::begin(target);
    let first = Instant::now();
    let left = Rc::new(std::cell::Cell::new(count - 1));
    let mut publishing = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let mut publisher = Publisher::open(target).await?;
        let left = Rc::clone(&left);
        publishing.spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                publisher.publish(&payload(began, "")).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(published) = publishing.join_next().await {
        published??;
    }
    let published = first.elapsed();
    let mut publisher = Publisher::open(target).await?;
    publisher.publish(&payload(began, &last)).await?;
    let counted = readers.finish(PATIENCE, count).await?;
    let mut deliveries = cost.end(target, args, count, first.elapsed(), &counted);
    deliveries.published_per_s = Some(report::per_second(count, published));
    Ok(deliveries)
}

struct Cost {
    system: Option<Duration>,
    generator: Option<Duration>,
}

impl Cost {
    fn begin(target: &Target) -> Self {
        Self {
            system: target.cpu(),
            generator: process::cpu(std::process::id()),
        }
    }

    fn end(
        &self,
        target: &Target,
        args: &Args,
        count: u64,
        took: Duration,
        latencies: &Latencies,
    ) -> Deliveries {
        let deliveries = count * u64::from(args.subscribers);
        let each = |before: Option<Duration>, after: Option<Duration>| {
            let spent = after?.saturating_sub(before?);
            Some(report::micros_each(spent, deliveries))
        };
        Deliveries {
            subscribers: args.subscribers,
            messages: count,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            deliveries_per_s: report::per_second(deliveries, took),
            published_per_s: None,
            system_cpu_us: each(self.system, target.cpu()),
            generator_cpu_us: each(self.generator, process::cpu(std::process::id())),
            latency: latencies.spread(),
        }
    }
}

/// When it was sent, padding, and the sign of the last message.
fn payload(began: Instant, end: &str) -> String {
    let at = began.elapsed().as_micros();
    let pad = PAYLOAD_BYTES.saturating_sub(40 + end.len());
    format!(
        "{{\"at\":{at},\"pad\":\"{:x<pad$}\",\"end\":\"{end}\"}}",
        ""
    )
}

fn marker(phase: &str) -> String {
    format!("last-of-{phase}")
}

/// Waits for something of the system that is measured.
async fn soon<T>(what: &str, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(Duration::from_secs(30), future)
        .await
        .with_context(|| format!("{what} took longer than 30 s"))?
}

fn check_status(head: &[u8], wanted: &[u8]) -> anyhow::Result<()> {
    ensure!(
        head.starts_with(wanted),
        "the system answered {}",
        String::from_utf8_lossy(&head[..head.len().min(300)])
    );
    Ok(())
}
