//! The figures of `pasar bench orders`, as a table and as JSON.

use std::{env, fs, iter, thread, time::Duration};

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
    /// Of PostgreSQL, which is no part of the system's.
    database_cpu_us_per_order: Option<u128>,
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
    pub(super) database: Option<Duration>,
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
            database_cpu_us_per_order: None,
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
        self.database_cpu_us_per_order = per_order(before.database, after.database);
        self.generator_cpu_us_per_order = per_order(before.generator, after.generator);
        let counted = after.counted.zip(before.counted);
        self.store_per_order = counted.map(|(after, before)| after.since(before).per(settled));
        self
    }
}

/// What a row of the table takes from a phase.
type Figure = fn(&Phase) -> String;

/// A column a phase: there are few phases and many figures.
fn table(phases: &[Phase]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    let names = phases.iter().map(|phase| phase.name.to_owned());
    table.set_header(iter::once(String::new()).chain(names));
    let rows: [(&str, Figure); 15] = [
        ("offered", |phase| phase.offer.clone()),
        ("settled/s", |phase| format!("{:.0}", phase.goodput_per_s)),
        ("confirmed", |phase| phase.confirmed.to_string()),
        ("cancelled", |phase| phase.cancelled.to_string()),
        ("told to come later (503)", |phase| {
            phase.busy_503.to_string()
        }),
        ("told to slow down (429)", |phase| {
            phase.slowed_429.to_string()
        }),
        ("refused or failed", |phase| {
            (phase.refused + phase.failed).to_string()
        }),
        ("without a connection", |phase| phase.unsent.to_string()),
        ("placing, p50 / p99", |phase| middle_and_tail(phase.placing)),
        ("placed to settled, p50 / p99", |phase| {
            middle_and_tail(phase.placed_to_settled)
        }),
        ("intended to settled, p50 / p99", |phase| {
            middle_and_tail(phase.intended_to_settled)
        }),
        ("CPU µs an order, system", |phase| {
            number(phase.system_cpu_us_per_order)
        }),
        ("CPU µs an order, database", |phase| {
            number(phase.database_cpu_us_per_order)
        }),
        ("CPU µs an order, generator", |phase| {
            number(phase.generator_cpu_us_per_order)
        }),
        ("commits, commands, events an order", |phase| {
            phase.store_per_order.map_or_else(unknown, |counted| {
                format!(
                    "{:.2}, {:.1}, {:.1}",
                    counted.commits, counted.commands, counted.events
                )
            })
        }),
    ];
    for (what, figure) in rows {
        table.add_row(iter::once(what.to_owned()).chain(phases.iter().map(figure)));
    }
    table
}

fn number(figure: Option<u128>) -> String {
    figure.map_or_else(unknown, |figure| figure.to_string())
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
