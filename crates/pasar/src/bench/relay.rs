//! `pasar bench relay`: a relay of its own in a child process; messages one by one and as lines, deliveries to a
//! receiver in this process, and what subscriptions that do not match cost.

mod child;
mod lines;
mod posts;
mod receiver;
mod sse;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::{Value, json};

use self::{child::Child, posts::Tally, receiver::Receiver};
use super::process;
use crate::{
    client::{Call, Client, Waits},
    latency::{Latencies, Spread, milliseconds},
    progress,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections of the messages one by one
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Connections of the messages as lines
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    streams: u16,
    /// Messages that are delivered to the webhook as fast as it goes
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    deliveries: u32,
    /// Messages a second of the phases at a fixed rate
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Numbers of subscriptions that do not match
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    idle: Vec<u32>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    count: u64,
    per_s: f64,
    latency: Option<Spread>,
    system_cpu_us: Option<u128>,
    generator_cpu_us: Option<u128>,
}

/// Deliveries to one destination that may be under way at once.
const CONCURRENCY: u16 = 256;
/// How long what was sent may take to arrive.
const PATIENCE: Duration = Duration::from_secs(120);
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let child = Child::start().await?;
    let mut bench = Bench {
        client: Client::new(child.url.clone(), Some(child.key.clone()))?,
        child,
        args,
        rows: Vec::new(),
    };
    bench.ingest().await?;
    bench.idle_subscriptions().await?;
    bench.webhook().await?;
    bench.stream().await?;
    if bench.args.json {
        println!("{}", serde_json::to_string_pretty(&bench.rows)?);
    } else {
        println!("{}", table(&bench.rows));
    }
    bench.child.stop().await;
    Ok(())
}

struct Bench {
    child: Child,
    client: Client,
    args: Args,
    rows: Vec<Row>,
}

impl Bench {
    fn span(&self) -> Duration {
        Duration::from_secs(self.args.seconds)
    }

    async fn ingest(&mut self) -> anyhow::Result<()> {
        let connections = usize::from(self.args.connections);
        posts::closed(&self.child, "bench", connections, WARM_UP).await?;
        self.one_by_one("one by one".to_owned()).await?;
        let streams = usize::from(self.args.streams);
        let busy = progress::spinner("lines");
        let before = self.spent();
        let begun = Instant::now();
        let count = lines::send(
            &self.child,
            "bench",
            streams,
            lines::Until::Over(self.span()),
        )
        .await?;
        self.row("as lines".to_owned(), count, begun.elapsed(), None, before);
        busy.finish_and_clear();
        Ok(())
    }

    async fn one_by_one(&mut self, what: String) -> anyhow::Result<()> {
        let busy = progress::spinner(what.clone());
        let before = self.spent();
        let connections = usize::from(self.args.connections);
        let tally: Tally = posts::closed(&self.child, "bench", connections, self.span()).await?;
        self.row(
            what,
            tally.accepted,
            self.span(),
            tally.latency.spread(),
            before,
        );
        busy.finish_and_clear();
        Ok(())
    }

    /// What a message costs while many wait for others.
    async fn idle_subscriptions(&mut self) -> anyhow::Result<()> {
        let mut there = 0;
        for wanted in self.args.idle.clone() {
            let bar = progress::bar((wanted - there.min(wanted)) as usize, "subscriptions");
            while there < wanted {
                self.subscribe(&format!("idle.{there}"), "http://127.0.0.1:9/")
                    .await?;
                there += 1;
                bar.inc(1);
            }
            bar.finish_and_clear();
            self.one_by_one(format!("one by one, {there} subscriptions elsewhere"))
                .await?;
        }
        Ok(())
    }

    async fn webhook(&mut self) -> anyhow::Result<()> {
        let receiver = Receiver::start().await?;
        let id = self.subscribe("hook", &receiver.url).await?;
        let act = async |client: &Client, action: &str| {
            let call = Call::act(format!("/v1/subscriptions/{id}/{action}"));
            client.call::<Value>(&call, &mut Waits::default()).await
        };
        act(&self.client, "pause").await?;
        let wanted = u64::from(self.args.deliveries);
        lines::send(&self.child, "hook", 2, lines::Until::Count(wanted)).await?;
        let busy = progress::spinner(format!("{wanted} deliveries"));
        let before = self.spent();
        let begun = Instant::now();
        act(&self.client, "resume").await?;
        receiver.wait_for(wanted, PATIENCE).await?;
        self.row(
            "webhook, a backlog".to_owned(),
            wanted,
            begun.elapsed(),
            None,
            before,
        );
        busy.finish_and_clear();
        let delivered = self.at_rate("hook", &receiver.arrivals).await?;
        self.rows.push(Row {
            what: format!("webhook, {} messages/s: sent to delivered", self.args.rate),
            ..delivered
        });
        let call = Call::delete(format!("/v1/subscriptions/{id}"));
        self.client
            .call::<Value>(&call, &mut Waits::default())
            .await?;
        Ok(())
    }

    async fn stream(&mut self) -> anyhow::Result<()> {
        let arrivals = Arc::new(receiver::Arrivals::default());
        let reading = sse::follow(&self.client, "live", Arc::clone(&arrivals)).await?;
        let delivered = self.at_rate("live", &arrivals).await?;
        reading.abort();
        self.rows.push(Row {
            what: format!("SSE, {} messages/s: sent to delivered", self.args.rate),
            ..delivered
        });
        Ok(())
    }

    /// Sends at a fixed rate; how long each took from its intended time to its arrival.
    async fn at_rate(&mut self, topic: &str, arrivals: &receiver::Arrivals) -> anyhow::Result<Row> {
        let busy = progress::spinner(format!("{topic} at {} a second", self.args.rate));
        let before = self.spent();
        let span = self.span();
        let sent = posts::open(&self.child, topic, self.args.rate, span).await?;
        arrivals.wait_until_over(sent.len(), PATIENCE).await?;
        let mut latency = Latencies::default();
        for (number, intended) in sent.iter().enumerate() {
            let arrived = arrivals.of(number).context("a message did not arrive")?;
            latency.record(arrived.saturating_duration_since(*intended));
        }
        let count = sent.len() as u64;
        self.row(topic.to_owned(), count, span, latency.spread(), before);
        busy.finish_and_clear();
        self.rows.pop().context("there is a row")
    }

    async fn subscribe(&self, topic: &str, url: &str) -> anyhow::Result<String> {
        let input = json!({
            "topics": [topic], "concurrency": CONCURRENCY,
            "destination": {"kind": "rest", "url": url},
        });
        let call = Call::act_with("/v1/subscriptions", &input);
        let created: Value = self.client.once(&call).await.map_err(anyhow::Error::from)?;
        let id = created["id"].as_str().context("a subscription has an id")?;
        Ok(id.to_owned())
    }

    fn spent(&self) -> (Option<Duration>, Option<Duration>) {
        (
            self.child.pid.and_then(process::cpu),
            process::cpu(std::process::id()),
        )
    }

    fn row(
        &mut self,
        what: String,
        count: u64,
        span: Duration,
        latency: Option<Spread>,
        before: (Option<Duration>, Option<Duration>),
    ) {
        let after = self.spent();
        let each = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?).as_micros() / u128::from(count.max(1)))
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "messages are counted in millions at most"
        )]
        let per_s = count as f64 / span.as_secs_f64();
        self.rows.push(Row {
            what,
            count,
            per_s,
            latency,
            system_cpu_us: each(before.0, after.0),
            generator_cpu_us: each(before.1, after.1),
        });
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "",
        "messages",
        "a second",
        "p50",
        "p99",
        "CPU µs each, system",
        "generator",
    ]);
    let number = |figure: Option<u128>| figure.map_or_else(|| "–".to_owned(), |it| it.to_string());
    for row in rows {
        let spread = |pick: fn(Spread) -> String| row.latency.map_or_else(|| "–".to_owned(), pick);
        table.add_row([
            row.what.clone(),
            row.count.to_string(),
            format!("{:.0}", row.per_s),
            spread(|spread| milliseconds(spread.p50_us)),
            spread(|spread| milliseconds(spread.p99_us)),
            number(row.system_cpu_us),
            number(row.generator_cpu_us),
        ]);
    }
    table
}

/// Fails where the system said something else than it should.
fn expect(is_so: bool, what: &str) -> anyhow::Result<()> {
    ensure!(is_so, "{what}; see the system's log above");
    Ok(())
}
