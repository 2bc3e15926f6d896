//! The figures of `pasar bench orders`, as a table and as JSON.

use std::{env, fs, thread, time::Duration};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::{load::Tally, metrics::Counted};
use crate::latency::{Spread, milliseconds};

#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    cores: usize,
    binary_bytes: Option<u64>,
    pub(super) runs: Vec<Run>,
}

/// One system, with one delay of the provider.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) sandbox_delay_ms: u64,
    /// From starting the process to its first good answer, data folder empty but for the customers.
    pub(super) ready_ms: Option<u128>,
    pub(super) idle_kib: Option<u64>,
    pub(super) peak_kib: Option<u64>,
    pub(super) phases: Vec<Phase>,
}

#[derive(Debug, Serialize)]
pub(super) struct Phase {
    name: &'static str,
    offer: String,
    pub(super) goodput_per_s: f64,
    offered: u64,
    confirmed: u64,
    /// Settled, but not confirmed.
    cancelled: u64,
    busy_503: u64,
    slowed_429: u64,
    refused: u64,
    failed: u64,
    unsent: u64,
    placing: Option<Spread>,
    placed_to_settled: Option<Spread>,
    intended_to_settled: Option<Spread>,
    system_cpu_us_per_order: Option<u128>,
    generator_cpu_us_per_order: Option<u128>,
    /// What the stores did for one order.
    store_per_order: Option<Counted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example_of_refused: Option<String>,
}

/// Running totals at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) system: Option<Duration>,
    pub(super) generator: Option<Duration>,
    pub(super) counted: Option<Counted>,
}

impl Report {
    pub(super) fn begin() -> Self {
        let binary = env::current_exe().and_then(fs::metadata).ok();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            binary_bytes: binary.map(|metadata| metadata.len()),
            runs: Vec::new(),
        }
    }

    pub(super) fn tables(&self) -> String {
        let megabytes =
            |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        let mut text = format!(
            "pasar {}, {} cores, binary {}",
            self.version,
            self.cores,
            self.binary_bytes.map_or_else(unknown, megabytes)
        );
        for run in &self.runs {
            let resident = |kib: Option<u64>| kib.map_or_else(unknown, |kib| megabytes(kib * 1024));
            text.push_str(&format!(
                "\n\nsandbox delay {} ms: ready after {}, resident {} idle, {} at most\n{}",
                run.sandbox_delay_ms,
                run.ready_ms
                    .map_or_else(unknown, |ready| format!("{ready} ms")),
                resident(run.idle_kib),
                resident(run.peak_kib),
                table(&run.phases),
            ));
        }
        text
    }
}

impl Phase {
    pub(super) fn new(name: &'static str, offer: String, tally: &Tally) -> Self {
        Self {
            name,
            offer,
            goodput_per_s: tally.goodput(),
            offered: tally.offered,
            confirmed: tally.confirmed,
            cancelled: tally.settled - tally.confirmed,
            busy_503: tally.busy,
            slowed_429: tally.slowed,
            refused: tally.refused,
            failed: tally.failed,
            unsent: tally.unsent,
            placing: tally.placing.spread(),
            placed_to_settled: tally.settling.spread(),
            intended_to_settled: tally.whole.spread(),
            system_cpu_us_per_order: None,
            generator_cpu_us_per_order: None,
            store_per_order: None,
            example_of_refused: tally.example.clone(),
        }
    }

    /// What it cost, from the figures before and after.
    pub(super) fn with_cost(mut self, settled: u64, before: &Spent, after: &Spent) -> Self {
        let per_order = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?).as_micros() / u128::from(settled.max(1)))
        };
        self.system_cpu_us_per_order = per_order(before.system, after.system);
        self.generator_cpu_us_per_order = per_order(before.generator, after.generator);
        let counted = after.counted.zip(before.counted);
        self.store_per_order = counted.map(|(after, before)| after.since(before).per(settled));
        self
    }
}

fn table(phases: &[Phase]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "phase",
        "offered",
        "settled/s",
        "confirmed",
        "cancelled",
        "503",
        "429",
        "other",
        "unsent",
        "placing p50 / p99",
        "placed → settled p50 / p99",
        "to settled p50 / p99",
        "CPU µs/order: system, generator",
        "an order's commits, commands, events",
    ]);
    for phase in phases {
        let cpu = |cpu: Option<u128>| cpu.map_or_else(unknown, |cpu| cpu.to_string());
        table.add_row([
            phase.name.to_owned(),
            phase.offer.clone(),
            format!("{:.0}", phase.goodput_per_s),
            phase.confirmed.to_string(),
            phase.cancelled.to_string(),
            phase.busy_503.to_string(),
            phase.slowed_429.to_string(),
            (phase.refused + phase.failed).to_string(),
            phase.unsent.to_string(),
            middle_and_tail(phase.placing),
            middle_and_tail(phase.placed_to_settled),
            middle_and_tail(phase.intended_to_settled),
            format!(
                "{}, {}",
                cpu(phase.system_cpu_us_per_order),
                cpu(phase.generator_cpu_us_per_order)
            ),
            phase.store_per_order.map_or_else(unknown, |counted| {
                format!(
                    "{:.2}, {:.1}, {:.1}",
                    counted.commits, counted.commands, counted.events
                )
            }),
        ]);
    }
    table
}

fn middle_and_tail(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "–".to_owned(),
        |spread| {
            format!(
                "{} / {}",
                milliseconds(spread.p50_us),
                milliseconds(spread.p99_us)
            )
        },
    )
}

fn unknown() -> String {
    "–".to_owned()
}
