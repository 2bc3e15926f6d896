//! The figures of `pasar bench live`, as a table and as JSON.

use std::{thread, time::Duration};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::latency::{Spread, milliseconds};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    cores: usize,
    pub(super) idle: Vec<Idle>,
    pub(super) steady: Option<Deliveries>,
    pub(super) saturated: Option<Deliveries>,
    pub(super) peak_kib: Option<u64>,
}

/// Connections on which nothing happens.
#[derive(Debug, Serialize)]
pub(super) struct Idle {
    pub(super) kind: &'static str,
    pub(super) connections: u32,
    pub(super) bytes_per_connection: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Deliveries {
    pub(super) subscribers: u32,
    pub(super) messages: u64,
    /// From the first message to the last delivery.
    pub(super) took_ms: u64,
    pub(super) deliveries_per_s: f64,
    pub(super) published_per_s: Option<f64>,
    /// Processor time of a delivery, publishing included.
    pub(super) system_cpu_us: Option<f64>,
    pub(super) generator_cpu_us: Option<f64>,
    /// From before it was published to when it was read, of one stream in fifty.
    pub(super) latency: Option<Spread>,
}

impl Report {
    pub(super) fn begin() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            idle: Vec::new(),
            steady: None,
            saturated: None,
            peak_kib: None,
        }
    }

    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_BORDERS_ONLY);
        table.set_header(["", "steady", "saturated"]);
        let phases = [&self.steady, &self.saturated];
        let mut row = |what: &str, figure: fn(&Deliveries) -> String| {
            let figures = phases.map(|phase| phase.as_ref().map_or_else(unknown, figure));
            table.add_row([what.to_owned()].into_iter().chain(figures));
        };
        row("subscribers", |phase| phase.subscribers.to_string());
        row("messages", |phase| phase.messages.to_string());
        row("deliveries/s", |phase| {
            format!("{:.0}", phase.deliveries_per_s)
        });
        row("published/s", |phase| number(phase.published_per_s));
        row("CPU µs a delivery, system", |phase| {
            decimal(phase.system_cpu_us)
        });
        row("CPU µs a delivery, generator", |phase| {
            decimal(phase.generator_cpu_us)
        });
        row("latency, p50 / p99", |phase| {
            phase.latency.map_or_else(unknown, |spread| {
                let (middle, tail) = (milliseconds(spread.p50_us), milliseconds(spread.p99_us));
                format!("{middle} / {tail}")
            })
        });
        let mut text = format!("pasar {}, {} cores\n{table}", self.version, self.cores);
        for idle in &self.idle {
            let bytes = idle.bytes_per_connection;
            text.push_str(&format!(
                "\n{} idle {} connections: {} bytes resident each",
                idle.connections,
                idle.kind,
                bytes.map_or_else(unknown, |bytes| bytes.to_string())
            ));
        }
        text
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "deliveries are counted in billions at most"
)]
pub(super) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(f64::EPSILON)
}

/// Microseconds of each.
#[expect(
    clippy::cast_precision_loss,
    reason = "deliveries are counted in billions at most"
)]
pub(super) fn micros_each(spent: Duration, count: u64) -> f64 {
    spent.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn number(figure: Option<f64>) -> String {
    figure.map_or_else(unknown, |figure| format!("{figure:.0}"))
}

fn decimal(figure: Option<f64>) -> String {
    figure.map_or_else(unknown, |figure| format!("{figure:.2}"))
}

fn unknown() -> String {
    "–".to_owned()
}
