//! What the relay recorded of attempts, and what is made of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{relay_alone::RelayAlone, relay_reader::percentile};

/// The first attempts to all destinations start within this time, in milliseconds at p99.
const MOST_SPREAD_MS: f64 = 5.0;
/// How much later another's p99 may be beside one that stalls.
const MOST_MOVED: f64 = 0.10;
const DESTINATIONS: usize = 8;

/// One delivery, at the first attempt.
pub(super) struct Recorded {
    position: i64,
    destination: String,
    /// Microseconds.
    at: i64,
    accepted_to_delivered: i64,
}

/// The newest position of the log.
pub(super) fn head(relay: &RelayAlone) -> i64 {
    let database = relay.database();
    database
        .query_row("SELECT head FROM log", [], |row| row.get(0))
        .unwrap()
}

/// Each delivery of a message after a position, but those to the ninth.
pub(super) fn recorded(relay: &RelayAlone, after: i64) -> Vec<Recorded> {
    let database = relay.database();
    let mut statement = database
        .prepare(
            "SELECT a.position, s.spec, a.at, a.at + a.took_us - m.accepted_at, a.attempt, a.delivered
             FROM attempt a
             JOIN subscription s ON s.id = a.subscription
             JOIN message m ON m.position = a.position
             WHERE a.position > ?1 AND m.topic = 'client'",
        )
        .unwrap();
    let rows = statement.query_map([after], |row| {
        let spec: Value = serde_json::from_str(&row.get::<_, String>(1)?).unwrap();
        let destination = spec["name"].as_str().unwrap().to_owned();
        let is_first: (i64, bool) = (row.get(4)?, row.get(5)?);
        assert_eq!(is_first, (1, true), "an attempt to {destination} failed");
        Ok(Recorded {
            position: row.get(0)?,
            destination,
            at: row.get(2)?,
            accepted_to_delivered: row.get(3)?,
        })
    });
    rows.unwrap()
        .map(Result::unwrap)
        .filter(|recorded| recorded.destination != "the ninth")
        .collect()
}

/// Of several measurements, in milliseconds.
#[derive(Default)]
pub(super) struct Figures {
    spreads: Vec<f64>,
    delivered: BTreeMap<String, Vec<f64>>,
}

impl Figures {
    pub(super) fn add(&mut self, recorded: &[Recorded]) {
        let mut starts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for it in recorded {
            starts.entry(it.position).or_default().push(it.at);
            let delivered = self.delivered.entry(it.destination.clone()).or_default();
            delivered.push(milliseconds(it.accepted_to_delivered));
        }
        for starts in starts.values() {
            assert_eq!(starts.len(), DESTINATIONS, "a message did not go to all");
            let (first, last) = (starts.iter().min(), starts.iter().max());
            let spread = last.zip(first).map_or(0, |(last, first)| last - first);
            self.spreads.push(milliseconds(spread));
        }
    }

    pub(super) fn of_all(&self, what: &str) -> String {
        let spread = |percent| of(&self.spreads, percent);
        let all: Vec<f64> = self.delivered.values().flatten().copied().collect();
        format!(
            "{what}: {} messages; first attempts start within {:.2} ms (p50), {:.2} ms (p99) of each other; \
             accepted to delivered {:.2} ms (p50), {:.2} ms (p99)",
            self.spreads.len(),
            spread(50),
            spread(99),
            of(&all, 50),
            of(&all, 99),
        )
    }

    /// A line for each destination: alone, and beside the one that stalls.
    pub(super) fn compared(&self, beside: &Self) -> Vec<String> {
        let line = |(destination, alone): (&String, &Vec<f64>)| {
            let beside = &beside.delivered[destination];
            format!(
                "| {destination} | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {:+.0} % |",
                of(alone, 50),
                of(alone, 99),
                of(beside, 50),
                of(beside, 99),
                100.0 * moved(alone, beside),
            )
        };
        self.delivered.iter().map(line).collect()
    }

    pub(super) fn judge(&self, beside: &Self) {
        for figures in [self, beside] {
            let spread = of(&figures.spreads, 99);
            assert!(
                spread <= MOST_SPREAD_MS,
                "first attempts start {spread} ms apart"
            );
        }
        let late: Vec<&String> = self
            .delivered
            .iter()
            .filter(|(destination, alone)| {
                moved(alone, &beside.delivered[*destination]) > MOST_MOVED
            })
            .map(|(destination, _)| destination)
            .collect();
        assert!(late.is_empty(), "one that stalls moved the p99 of {late:?}");
    }
}

fn moved(alone: &[f64], beside: &[f64]) -> f64 {
    of(beside, 99) / of(alone, 99) - 1.0
}

fn of(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, percent)
}

#[expect(clippy::cast_precision_loss, reason = "minutes at most")]
fn milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1_000.0
}
