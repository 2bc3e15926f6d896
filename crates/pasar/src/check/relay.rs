//! The relay's log: without gaps, and each feed in it once and up to where it was followed.

use std::collections::BTreeMap;

use pasar_contracts::event::Service;
use pasar_store::{fault::Fault, feed::trimmed, follower, inspect::Inspector, lineage::Lineage};
use pasar_types::id::EpochId;

use super::{
    databases::Databases,
    report::{Report, Rule},
    tables::{
        feed::{self, Position},
        relay::{self, Copied, Ends, Fed, Logged},
    },
};

const PAGE: i64 = 2_000;
/// Missing events that are named of one gap.
const MOST_MISSING: usize = 100;

/// Nothing to look at in folders of a time before there was a relay.
pub(super) fn check(databases: &Databases, report: &mut Report) -> Result<(), Fault> {
    let Some(database) = &databases.relay else {
        return Ok(());
    };
    check_bytes(database, report)?;
    check_log(databases, database, report)
}

fn check_bytes(database: &Inspector, report: &mut Report) -> Result<(), Fault> {
    let (ends, bytes) = database.read(|tx| Ok((relay::ends(tx)?, relay::data_bytes(tx)?)))?;
    report.looked_at(Rule::LogBytes, 1);
    if ends.bytes != bytes {
        report.wrong(
            Rule::LogBytes,
            "relay log",
            format!("it says {} bytes, its messages hold {bytes}", ends.bytes),
        );
    }
    Ok(())
}

/// Walks the log once, page by page, and holds what was copied against the feeds.
fn check_log(
    databases: &Databases,
    database: &Inspector,
    report: &mut Report,
) -> Result<(), Fault> {
    let mut copies = Copies::default();
    let mut after = 0;
    loop {
        let (ends, page, positions) = database.read(|tx| {
            let page = relay::messages(tx, after, PAGE)?;
            Ok((relay::ends(tx)?, page, feed::positions(tx)?))
        })?;
        report.looked_at(Rule::Log, page.len());
        if ends.first > after + 1 {
            // Retention went past this walk: what follows may begin anywhere.
            copies.0.clear();
        }
        for message in &page {
            let expected = (after + 1).max(ends.first);
            report_gap(expected, message.position, report);
            after = message.position;
        }
        let begun = begun_with(&positions);
        copies.take(databases, database, &page, (ends, &begun), report)?;
        if page.is_empty() {
            // What retention took in the meantime is not missing.
            report_gap((after + 1).max(ends.first), ends.head + 1, report);
            if after > ends.head {
                let what = format!("it says {}, the last message stands at {after}", ends.head);
                report.wrong(Rule::Log, "relay log", what);
            }
            for position in positions {
                copies.end(databases, database, &position, ends, report)?;
            }
            return Ok(());
        }
    }
}

/// Nothing stands from the one position up to before the other.
fn report_gap(from: i64, before: i64, report: &mut Report) {
    let what = match before - from {
        ..=0 => return,
        1 => "it is missing".to_owned(),
        many => format!("it and the {} after it are missing", many - 1),
    };
    report.wrong(Rule::Log, format!("relay message {from}"), what);
}

/// How far each feed was seen in the log.
#[derive(Default)]
struct Copies(BTreeMap<Service, follower::Position>);

impl Copies {
    fn take(
        &mut self,
        databases: &Databases,
        relay: &Inspector,
        page: &[Logged],
        (ends, begun): (Ends, &BTreeMap<Service, i64>),
        report: &mut Report,
    ) -> Result<(), Fault> {
        let mut of_service: BTreeMap<Service, Vec<(&Logged, &Copied)>> = BTreeMap::new();
        for message in page {
            let Some(copied) = &message.event else {
                continue;
            };
            match message.topic.parse::<Service>() {
                Ok(service) => of_service
                    .entry(service)
                    .or_default()
                    .push((message, copied)),
                Err(_) => report.wrong(
                    Rule::Copied,
                    row(message),
                    format!("{} is no service's topic", message.topic),
                ),
            }
        }
        for (service, copied) in of_service {
            report.looked_at(Rule::Copied, copied.len());
            let lineage = lineage(databases, service)?;
            // Up to a snapshot's place its own events are there, in their order, and others are not.
            let of_feed: Vec<_> = copied
                .iter()
                .copied()
                .filter(|(_, event)| event.sequence > begun.get(&service).copied().unwrap_or(0))
                .collect();
            self.follow(
                relay,
                service,
                lineage.as_ref(),
                &of_feed,
                (ends, begun),
                report,
            )?;
            if let Some(publisher) = databases.of(service) {
                compare(publisher, &copied, report)?;
            }
        }
        Ok(())
    }

    /// Each event comes right after the one before it in its feed; after a restore of its publisher, after the last
    /// one that both epochs share.
    fn follow(
        &mut self,
        relay: &Inspector,
        service: Service,
        lineage: Option<&Lineage>,
        copied: &[(&Logged, &Copied)],
        (ends, begun): (Ends, &BTreeMap<Service, i64>),
        report: &mut Report,
    ) -> Result<(), Fault> {
        // What retention left behind has gaps before it.
        for (message, event) in copied
            .iter()
            .filter(|(message, _)| message.position >= ends.first)
        {
            // Retention takes the oldest: what is left may begin anywhere.
            let begins = if ends.first > 1 {
                event.sequence - 1
            } else {
                begun.get(&service).copied().unwrap_or(0)
            };
            let epoch = event.epoch;
            let seen = self.0.entry(service).or_insert(follower::Position {
                epoch,
                sequence: begins,
            });
            *seen = in_epoch(*seen, epoch, lineage);
            if event.sequence <= seen.sequence {
                let what = format!("{service} {} was copied before", event.sequence);
                report.wrong(Rule::Copied, row(message), what);
                continue;
            }
            for missing in missing(relay, service, seen.sequence + 1..event.sequence)? {
                report.wrong(
                    Rule::Copied,
                    format!("{service} feed {missing}"),
                    format!("it is not in the log before message {}", message.position),
                );
            }
            seen.sequence = event.sequence;
        }
        Ok(())
    }

    /// The follower stands where its copies end: both move in one transaction.
    fn end(
        &self,
        databases: &Databases,
        relay: &Inspector,
        position: &Position,
        ends: Ends,
        report: &mut Report,
    ) -> Result<(), Fault> {
        let (publisher, followed) = (position.publisher, position.sequence);
        let seen = match self.0.get(&publisher) {
            Some(seen) => {
                let lineage = lineage(databases, publisher)?;
                in_epoch(*seen, position.epoch, lineage.as_ref()).sequence
            }
            None if ends.first > 1 => return Ok(()),
            None => 0,
        };
        // It may be reading a snapshot, whose places nobody counts.
        if followed < position.snapshot {
            return Ok(());
        }
        let seen = seen.max(position.snapshot);
        let is_ahead = !missing(relay, publisher, seen + 1..followed + 1)?.is_empty();
        if is_ahead || followed < seen {
            report.wrong(
                Rule::Copied,
                format!("relay follower_position of {publisher}"),
                format!("it stands at {followed}, the log ends with {seen}"),
            );
        }
        Ok(())
    }
}

/// The places of the snapshots that feeds were begun with.
fn begun_with(positions: &[Position]) -> BTreeMap<Service, i64> {
    let begun = positions.iter();
    begun.map(|at| (at.publisher, at.snapshot)).collect()
}

fn lineage(databases: &Databases, publisher: Service) -> Result<Option<Lineage>, Fault> {
    let publisher = databases.of(publisher);
    publisher
        .map(|publisher| publisher.read(Lineage::read))
        .transpose()
}

/// The last event that was seen, as one of an epoch: what both share of it.
fn in_epoch(
    seen: follower::Position,
    epoch: EpochId,
    lineage: Option<&Lineage>,
) -> follower::Position {
    match lineage {
        Some(lineage) if seen.epoch != epoch => follower::Position {
            epoch,
            sequence: seen.sequence.min(lineage.shared_with(seen)),
        },
        _ => seen,
    }
}

/// Which of these events are neither copied nor parked; the first ones. What is parked is reported as such.
fn missing(
    database: &Inspector,
    publisher: Service,
    sequences: std::ops::Range<i64>,
) -> Result<Vec<i64>, Fault> {
    let mut missing = Vec::new();
    for sequence in sequences.take(MOST_MISSING) {
        if !database.read(|tx| relay::is_parked(tx, publisher, sequence))? {
            missing.push(sequence);
        }
    }
    Ok(missing)
}

/// Each copy says what its feed says.
fn compare(
    publisher: &Inspector,
    copied: &[(&Logged, &Copied)],
    report: &mut Report,
) -> Result<(), Fault> {
    let sequences = copied.iter().map(|(_, event)| event.sequence);
    let (Some(from), Some(upto)) = (sequences.clone().min(), sequences.max()) else {
        return Ok(());
    };
    let (epoch, trimmed, fed) = publisher.read(|tx| {
        Ok((
            feed::epoch(tx)?,
            trimmed(tx)?,
            // A page of the log holds no more; what is beyond is broken and found without it.
            relay::feed_events(tx, from, upto.min(from + 2 * PAGE))?,
        ))
    })?;
    let fed: BTreeMap<i64, Fed> = fed
        .into_iter()
        .map(|event| (event.sequence, event))
        .collect();
    for (message, event) in copied.iter().filter(|(_, event)| event.epoch == epoch) {
        let Some(fed) = fed.get(&event.sequence) else {
            if event.sequence <= trimmed {
                continue;
            }
            let what = format!("{} {} is in no feed", message.topic, event.sequence);
            report.wrong(Rule::Copied, row(message), what);
            continue;
        };
        let as_fed = Copied {
            epoch,
            sequence: fed.sequence,
            key: fed.key.clone(),
            keyversion: fed.keyversion,
            event_type: fed.event_type.clone(),
            data_bytes: fed.data_bytes,
        };
        if **event != as_fed || message.id != fed.id.to_string() {
            let what = format!(
                "it is {} {} of {}, the feed has {} {} of {} at {}",
                event.event_type,
                event.keyversion,
                event.key,
                fed.event_type,
                fed.keyversion,
                fed.key,
                fed.sequence
            );
            report.wrong(Rule::Copied, row(message), what);
        }
    }
    Ok(())
}

fn row(message: &Logged) -> String {
    format!("relay message {}", message.position)
}
