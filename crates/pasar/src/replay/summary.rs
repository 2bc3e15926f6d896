//! What a replay came to.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use comfy_table::{Table, presets};

use super::{
    place::{Fate, Placed},
    tickets::Till,
};
use crate::{client::Waits, latency::Latencies};

#[derive(Debug, Default)]
pub(super) struct Summary {
    tickets: usize,
    confirmed: usize,
    cancelled: BTreeMap<String, usize>,
    unsettled: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
    failed: usize,
    /// By what the tickets hold.
    skipped: BTreeMap<String, usize>,
    settling: Latencies,
    waits: Waits,
    duration: Duration,
    interrupted: bool,
}

impl Summary {
    pub(super) fn new(till: &Till) -> Self {
        let mut summary = Self {
            tickets: till.tickets.len() + till.skipped.len(),
            ..Self::default()
        };
        for skipped in &till.skipped {
            let mut holds = skipped.holds.clone();
            holds.sort();
            let reason = format!("holds nothing but {}", holds.join(" and "));
            *summary.skipped.entry(reason).or_default() += 1;
        }
        summary
    }

    pub(super) fn add(&mut self, placed: Placed) {
        self.waits.add(placed.waits);
        match placed.fate {
            Fate::Confirmed => {
                self.confirmed += 1;
                self.settling.record(placed.took);
            }
            Fate::Cancelled(reason) => {
                *self.cancelled.entry(reason).or_default() += 1;
                self.settling.record(placed.took);
            }
            Fate::Unsettled(state) => *self.unsettled.entry(state).or_default() += 1,
            Fate::Refused(problem, _) => *self.refused.entry(problem).or_default() += 1,
            Fate::Failed(_) => self.failed += 1,
        }
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    pub(super) fn finish(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// Success only if every ticket that was to be ordered was settled.
    pub(super) fn exit_code(&self) -> ExitCode {
        let all_settled = self.unsettled.is_empty() && self.refused.is_empty() && self.failed == 0;
        ExitCode::from(u8::from(!all_settled || self.interrupted))
    }

    pub(super) fn table(&self) -> Table {
        let settled = self.confirmed + total(&self.cancelled);
        let placed = settled + total(&self.unsettled);
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let mut row = |what: &str, value: String| {
            table.add_row([what.to_owned(), value]);
        };
        if self.interrupted {
            row(
                "interrupted",
                "run it again to go on where it stopped".to_owned(),
            );
        }
        row("tickets", self.tickets.to_string());
        row("orders placed", placed.to_string());
        row("confirmed", self.confirmed.to_string());
        row("cancelled", counted(&self.cancelled));
        row("skipped", counted(&self.skipped));
        if !self.unsettled.is_empty() {
            row("not settled yet", counted(&self.unsettled));
        }
        if !self.refused.is_empty() {
            row("refused", counted(&self.refused));
        }
        if self.failed > 0 {
            row("failed", self.failed.to_string());
        }
        row("duration", self.speed(settled));
        if let Some(spread) = self.settling.spread() {
            row("sent to settled", spread.in_words());
        }
        if self.waits != Waits::default() {
            let Waits {
                slowed,
                busy,
                unreachable,
            } = self.waits;
            row(
                "waited",
                format!(
                    "{slowed} times as 429 asked, {busy} as 503 did, {unreachable} without a connection"
                ),
            );
        }
        table
    }

    fn speed(&self, settled: usize) -> String {
        let seconds = self.duration.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "orders are counted in thousands"
        )]
        let rate = if seconds > 0.0 {
            settled as f64 / seconds
        } else {
            0.0
        };
        format!("{seconds:.1} s, {rate:.0} settled orders/s")
    }
}

fn total(counts: &BTreeMap<String, usize>) -> usize {
    counts.values().sum()
}

/// `3 (2 out_of_stock, 1 payment_declined)`
fn counted(counts: &BTreeMap<String, usize>) -> String {
    if counts.is_empty() {
        return "0".to_owned();
    }
    let each: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    format!("{} ({})", total(counts), each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::tickets;

    fn placed(fate: Fate) -> Placed {
        Placed {
            ticket: "1".to_owned(),
            fate,
            took: Duration::from_millis(20),
            waits: Waits::default(),
        }
    }

    #[test]
    fn the_summary_tells_every_ticket_and_why() {
        let file =
            b"2016-10-30,10:05:34,1,Tea\n2016-10-30,10:05:34,2,NONE\n2016-10-30,10:05:34,3,Tea\n";
        let till = tickets::parse(file, &["NONE".to_owned()]).unwrap();
        let mut summary = Summary::new(&till);
        summary.add(placed(Fate::Confirmed));
        summary.add(placed(Fate::Cancelled("out_of_stock".to_owned())));
        summary.finish(Duration::from_secs(2));
        let table = summary.table().to_string();
        for part in [
            "tickets",
            "1 (1 out_of_stock)",
            "1 (1 holds nothing but NONE)",
            "2.0 s, 1 settled orders/s",
            "p50 20.0 ms",
        ] {
            assert!(table.contains(part), "{part} is missing in\n{table}");
        }
        assert_eq!(
            format!("{:?}", summary.exit_code()),
            format!("{:?}", ExitCode::SUCCESS)
        );
    }

    #[test]
    fn a_ticket_that_was_refused_makes_the_replay_fail() {
        let mut summary = Summary::default();
        summary.add(placed(Fate::Refused(
            "unknown-sku".to_owned(),
            String::new(),
        )));
        assert_eq!(
            format!("{:?}", summary.exit_code()),
            format!("{:?}", ExitCode::FAILURE)
        );
        assert!(summary.table().to_string().contains("1 (1 unknown-sku)"));
    }
}
