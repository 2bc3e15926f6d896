//! `pasar bench orders`: a system of its own in child processes, loaded over HTTP, once for each delay of
//! the sandbox provider.

use std::time::Duration;

use anyhow::ensure;

use super::{
    load::{Ask, Generator, Offer, Tally},
    process,
    report::{Phase, Report, Run, Spent},
    shape::Shape,
    system::System,
};
use crate::progress;

/// Connections that tell how many orders the system settles when it never waits for a client.
const CLIENTS: [usize; 5] = [32, 64, 128, 256, 512];
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the system lies still before its idle memory is read: the allocator gives back what the start
/// took after some seconds.
const STILL: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure a running system instead of a new one
    #[arg(long, requires = "key")]
    pub(super) url: Option<String>,
    /// API key for the running system, of staff: it makes products and orders them
    #[arg(long, env = "PASAR_KEY", hide_env_values = true, requires = "url")]
    pub(super) key: Option<String>,
    /// Delays of the sandbox provider in milliseconds, each measured in turn (not with --url)
    #[arg(long, value_delimiter = ',', default_values_t = [0, 50])]
    delays: Vec<u64>,
    /// Products, each with ample stock
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(3..=5000))]
    pub(super) products: u16,
    /// Customers who order (not with --url)
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    pub(super) customers: u16,
    /// Orders a second of the phase at a fixed rate
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Seconds for each measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections that an open-loop phase may have at most
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    #[command(flatten)]
    pub(super) shape: Shape,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        args.rate > 0 && args.connections > 0,
        "--rate and --connections are above 0"
    );
    args.shape.check()?;
    let delays = if args.url.is_some() {
        vec![0]
    } else {
        args.delays.clone()
    };
    let mut report = Report::begin();
    for delay_ms in delays {
        let system = System::start(&args, delay_ms).await?;
        report.runs.push(measure(&args, &system, delay_ms).await?);
        system.stop().await;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.tables());
    }
    Ok(())
}

async fn measure(args: &Args, system: &System, delay_ms: u64) -> anyhow::Result<Run> {
    let span = Duration::from_secs(args.seconds);
    tokio::time::sleep(STILL).await;
    let idle_kib = system.sum(process::resident_kib);
    let mut bench = Bench {
        system,
        shape: &args.shape,
        generator: Generator::new(system.address, system.requests(args).await?),
    };
    let warm_up = Offer::Closed {
        clients: CLIENTS[0],
    };
    bench
        .phase("warm-up", warm_up, Ask::Settled, WARM_UP)
        .await?;
    let capacity = bench.capacity(span).await?;
    let steady = Offer::Open {
        per_second: f64::from(args.rate),
        connections: args.connections,
    };
    let steady = bench
        .phase("fixed rate", steady, Ask::PlacedThenSettled, span)
        .await?;
    let twice = Offer::Open {
        per_second: 2.0 * capacity.goodput_per_s,
        connections: args.connections,
    };
    let overload = bench
        .phase("twice the capacity", twice, Ask::Settled, span)
        .await?;
    let after = bench
        .phase("right after", warm_up, Ask::Settled, WARM_UP)
        .await?;
    Ok(Run {
        sandbox_delay_ms: delay_ms,
        ready_ms: system.ready().map(|ready| ready.as_millis()),
        idle_kib,
        peak_kib: system.sum(process::peak_resident_kib),
        phases: vec![capacity, steady, overload, after],
    })
}

struct Bench<'s> {
    system: &'s System,
    shape: &'s Shape,
    generator: Generator,
}

impl Bench<'_> {
    /// More and more clients, until more of them settle no more orders.
    async fn capacity(&mut self, span: Duration) -> anyhow::Result<Phase> {
        let mut best: Option<Phase> = None;
        for clients in CLIENTS {
            let offer = Offer::Closed { clients };
            let phase = self.phase("capacity", offer, Ask::Settled, span).await?;
            match &best {
                Some(known) if known.goodput_per_s >= phase.goodput_per_s => break,
                _ => best = Some(phase),
            }
        }
        Ok(best.expect("there is at least one number of clients"))
    }

    async fn phase(
        &mut self,
        name: &'static str,
        offer: Offer,
        ask: Ask,
        span: Duration,
    ) -> anyhow::Result<Phase> {
        let busy = progress::spinner(format!("{name}: {offer}, {} s", span.as_secs()));
        let before = self.spent().await;
        let tally: Tally = self.generator.run(offer, ask, span).await;
        let after = self.spent().await;
        busy.finish_and_clear();
        ensure!(
            tally.settled > 0,
            "no order was settled ({tally:?}); see the system's log, or --url and --key"
        );
        Ok(Phase::new(name, offer.to_string(), &tally).with_cost(tally.settled, &before, &after))
    }

    async fn spent(&self) -> Spent {
        Spent {
            system: self.system.cpu(),
            database: self.shape.database_cpu(),
            generator: process::cpu(std::process::id()),
            counted: self.system.counted().await,
        }
    }
}
