//! What was looked at, what is wrong, and what is merely under way.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

/// What must hold. The name stands in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Rule {
    Feed,
    KeyVersions,
    Positions,
    Parked,
    RowVersions,
    StockMovements,
    StockEvents,
    StockReserved,
    Reservations,
    LedgerBalance,
    LedgerPayments,
    Payments,
    Provider,
    CapturedOnce,
    Settled,
    Log,
    LogBytes,
    Copied,
    Progress,
    Deliveries,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) rule: Rule,
    /// Which row: its database or its table, and its key.
    pub(super) row: String,
    pub(super) what: String,
}

/// What looks wrong only because its work has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct InFlight {
    pub(super) row: String,
    pub(super) why: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    running: bool,
    looked_at: BTreeMap<Rule, u64>,
    findings: Vec<Finding>,
    /// Found beyond what is kept.
    more_findings: u64,
    in_flight: Vec<InFlight>,
    more_in_flight: u64,
    notes: Vec<String>,
}

/// A database that is wrong throughout must not fill the memory.
const MOST_KEPT: usize = 1_000;

impl Rule {
    pub(super) const ALL: [Self; 20] = [
        Self::Feed,
        Self::KeyVersions,
        Self::Positions,
        Self::Parked,
        Self::RowVersions,
        Self::StockMovements,
        Self::StockEvents,
        Self::StockReserved,
        Self::Reservations,
        Self::LedgerBalance,
        Self::LedgerPayments,
        Self::Payments,
        Self::Provider,
        Self::CapturedOnce,
        Self::Settled,
        Self::Log,
        Self::LogBytes,
        Self::Copied,
        Self::Progress,
        Self::Deliveries,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::KeyVersions => "key-versions",
            Self::Positions => "positions",
            Self::Parked => "parked",
            Self::RowVersions => "row-versions",
            Self::StockMovements => "stock-movements",
            Self::StockEvents => "stock-events",
            Self::StockReserved => "stock-reserved",
            Self::Reservations => "reservations",
            Self::LedgerBalance => "ledger-balance",
            Self::LedgerPayments => "ledger-payments",
            Self::Payments => "payments",
            Self::Provider => "provider",
            Self::CapturedOnce => "captured-once",
            Self::Settled => "settled",
            Self::Log => "log",
            Self::LogBytes => "log-bytes",
            Self::Copied => "copied",
            Self::Progress => "progress",
            Self::Deliveries => "deliveries",
        }
    }

    /// Whether it needs the relay's database.
    const fn is_of_relay(self) -> bool {
        matches!(
            self,
            Self::Log | Self::LogBytes | Self::Copied | Self::Progress | Self::Deliveries
        )
    }

    /// What it counts, and what must hold of it.
    const fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Feed => ("events", "no gap in a feed, and its head is its last event"),
            Self::KeyVersions => ("events", "the versions of each key are 1..n in feed order"),
            Self::Positions => (
                "positions",
                "no follower is ahead of its feed or stands still",
            ),
            Self::Parked => ("followers", "no event is parked"),
            Self::RowVersions => ("rows", "each row is as new as its newest event"),
            Self::StockMovements => ("movements", "stock on hand is the sum of its movements"),
            Self::StockEvents => (
                "stock events",
                "the movements are those that the feed tells of",
            ),
            Self::StockReserved => ("stock rows", "what is reserved is what reservations hold"),
            Self::Reservations => ("reservations", "stock is held or sold as its order says"),
            Self::LedgerBalance => ("entries", "each transaction is zero in each currency"),
            Self::LedgerPayments => ("payments", "the ledger holds what each payment says"),
            Self::Payments => (
                "payments",
                "money is held, taken or returned as its order says",
            ),
            Self::Provider => ("charges", "the provider's books say what payments says"),
            Self::CapturedOnce => ("charges", "no order was authorised or captured twice"),
            Self::Settled => (
                "orders",
                "each is settled, within its deadline or under way",
            ),
            Self::Log => ("messages", "no gap in the relay's log up to its head"),
            Self::LogBytes => ("logs", "the log knows how many bytes it holds"),
            Self::Copied => (
                "events",
                "each feed stands in the log, once, as far as it was followed",
            ),
            Self::Progress => ("positions", "no subscription is ahead of the log"),
            Self::Deliveries => (
                "deliveries",
                "each is about a message and a subscription, or waits behind one",
            ),
        }
    }
}

impl Report {
    pub(super) fn new(running: bool) -> Self {
        Self {
            running,
            looked_at: Rule::ALL.into_iter().map(|rule| (rule, 0)).collect(),
            findings: Vec::new(),
            more_findings: 0,
            in_flight: Vec::new(),
            more_in_flight: 0,
            notes: Vec::new(),
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        self.running
    }

    pub(super) fn looked_at(&mut self, rule: Rule, rows: usize) {
        *self.looked_at.entry(rule).or_default() += rows as u64;
    }

    pub(super) fn found(&mut self, finding: Finding) {
        if self.findings.len() < MOST_KEPT {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }

    pub(super) fn wrong(&mut self, rule: Rule, row: impl Into<String>, what: impl Into<String>) {
        self.found(Finding {
            rule,
            row: row.into(),
            what: what.into(),
        });
    }

    pub(super) fn in_flight(&mut self, row: impl Into<String>, why: impl Into<String>) {
        if self.in_flight.len() < MOST_KEPT {
            self.in_flight.push(InFlight {
                row: row.into(),
                why: why.into(),
            });
        } else {
            self.more_in_flight += 1;
        }
    }

    /// Says what was not seen although it should be there: a rule that looked at nothing proves nothing.
    pub(super) fn note_what_was_not_seen(&mut self, with_relay: bool) {
        let seen = |rule: Rule| self.looked_at.get(&rule).copied().unwrap_or_default();
        if seen(Rule::Settled) == 0 {
            let note = "there is no order yet: nothing was held against each other";
            self.notes.push(note.to_owned());
            return;
        }
        let owed = |rule: &Rule| match rule {
            // Without subscriptions nothing is delivered.
            Rule::Deliveries => false,
            rule => seen(*rule) == 0 && (with_relay || !rule.is_of_relay()),
        };
        for rule in Rule::ALL.into_iter().filter(owed) {
            let (unit, _) = rule.says();
            let note = format!("{} saw no {unit}, although there are orders", rule.name());
            self.notes.push(note);
        }
    }

    pub(super) fn finds_nothing(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for rule in Rule::ALL {
            let (unit, says) = rule.says();
            let looked = self.looked_at.get(&rule).copied().unwrap_or_default();
            let wrong = self.findings.iter().filter(|finding| finding.rule == rule);
            let verdict = match (wrong.count(), looked) {
                (0, 0) => "nothing seen".to_owned(),
                (0, _) => "ok".to_owned(),
                (wrong, _) => format!("{wrong} WRONG"),
            };
            let name = rule.name();
            let _ = writeln!(
                text,
                "{name:<16} {looked:>9} {unit:<13} {verdict:<13} {says}"
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        self.write_in_flight(&mut text);
        for Finding { rule, row, what } in &self.findings {
            let _ = writeln!(text, "WRONG {}: {row}: {what}", rule.name());
        }
        match self.findings.len() as u64 + self.more_findings {
            0 => text.push_str("nothing is wrong\n"),
            1 => text.push_str("1 thing is wrong\n"),
            many => {
                let _ = writeln!(text, "{many} things are wrong");
            }
        }
        text
    }

    fn write_in_flight(&self, text: &mut String) {
        const SHOWN: usize = 10;
        let all = self.in_flight.len() as u64 + self.more_in_flight;
        if all == 0 {
            return;
        }
        let when = if self.running {
            "they go on"
        } else {
            "nothing runs; they go on at the next start"
        };
        let _ = writeln!(text, "in flight: {all} ({when})");
        for InFlight { row, why } in self.in_flight.iter().take(SHOWN) {
            let _ = writeln!(text, "  {row}: {why}");
        }
    }
}
