//! Feeds without gaps, versions without gaps, followers not ahead, nothing parked.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pasar_contracts::event::Service;
use pasar_store::{fault::Fault, feed::trimmed, follower, inspect::Inspector, lineage::Lineage};

use super::{
    databases::Databases,
    pause,
    report::{Report, Rule},
    tables::feed::{self, Break, Parked, Position},
};

const PAGE: i64 = 2_000;
const MOST_PARKED_SHOWN: i64 = 200;

/// The last event of each service.
pub(super) type Heads = BTreeMap<Service, i64>;

pub(super) fn check(databases: &Databases, report: &mut Report) -> Result<(), Fault> {
    for database in databases.services() {
        // Positions before heads: a follower can only look further behind than it is.
        check_positions(databases, database, report)?;
        check_feed(database, report)?;
        check_parked(database, report)?;
    }
    Ok(())
}

/// The feeds' heads as they stand now.
pub(super) fn heads(databases: &Databases) -> Result<Heads, Fault> {
    databases
        .services()
        .map(|database| Ok((database.service(), database.read(feed::head)?)))
        .collect()
}

/// Waits until every follower has passed the heads that were noted; one that does not is stuck. When
/// nothing runs, what was not taken shows with the orders that wait for it.
pub(super) fn check_followers(
    databases: &Databases,
    heads: &Heads,
    patience: Duration,
    report: &mut Report,
) -> Result<(), Fault> {
    if !report.is_running() {
        return Ok(());
    }
    let until = Instant::now() + patience;
    loop {
        let late = late_followers(databases, heads)?;
        if late.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            let waited = patience.as_secs();
            for (row, what) in late {
                report.wrong(Rule::Positions, row, format!("{what}, {waited} s ago"));
            }
            return Ok(());
        }
        pause();
    }
}

fn late_followers(databases: &Databases, heads: &Heads) -> Result<Vec<(String, String)>, Fault> {
    let mut late = Vec::new();
    for database in databases.services() {
        for position in database.read(feed::positions)? {
            let publisher = position.publisher;
            let head = heads.get(&publisher).copied().unwrap_or_default();
            if position.sequence < head {
                late.push((
                    format!("{} follower_position of {publisher}", database.service()),
                    format!("it stands at {}, the head was at {head}", position.sequence),
                ));
            }
        }
    }
    Ok(late)
}

fn check_feed(database: &Inspector, report: &mut Report) -> Result<(), Fault> {
    let service = database.service();
    let (head, last) = database.read(|tx| {
        let last = feed::last_sequence(tx)?;
        Ok((feed::head(tx)?, last.max(trimmed(tx)?)))
    })?;
    if head != last {
        report.wrong(
            Rule::Feed,
            format!("{service} feed_head"),
            format!("it says {head}, the last event stands at {last}"),
        );
    }
    let mut after = 0;
    loop {
        let (begin, page, breaks) = database.read(|tx| {
            // Up to there it need not be whole. It may have been trimmed since the page before.
            let trimmed = trimmed(tx)?;
            let begin = trimmed.max(after);
            let page = feed::sequences(tx, begin, head, PAGE)?;
            let upto = page.last().copied().unwrap_or(begin);
            Ok((begin, page, feed::version_breaks(tx, begin, upto, trimmed)?))
        })?;
        after = begin;
        report.looked_at(Rule::Feed, page.len());
        report.looked_at(Rule::KeyVersions, page.len());
        for &sequence in &page {
            report_gap(service.as_str(), after + 1, sequence, report);
            after = sequence;
        }
        for Break {
            sequence,
            key,
            keyversion,
        } in breaks
        {
            report.wrong(
                Rule::KeyVersions,
                format!("{service} feed {sequence}"),
                format!(
                    "version {keyversion} of {key} has no version {} before it",
                    keyversion - 1
                ),
            );
        }
        if page.is_empty() {
            report_gap(service.as_str(), after + 1, head + 1, report);
            return Ok(());
        }
    }
}

/// Nothing stands from the one place up to before the other.
fn report_gap(service: &str, from: i64, before: i64, report: &mut Report) {
    let what = match before - from {
        ..=0 => return,
        1 => "it is missing".to_owned(),
        many => format!("it and the {} after it are missing", many - 1),
    };
    report.wrong(Rule::Feed, format!("{service} feed {from}"), what);
}

fn check_positions(
    databases: &Databases,
    follower: &Inspector,
    report: &mut Report,
) -> Result<(), Fault> {
    let service = follower.service();
    for position in follower.read(feed::positions)? {
        report.looked_at(Rule::Positions, 1);
        let publisher = position.publisher;
        let row = format!("{service} follower_position of {publisher}");
        let Some(database) = databases.of(publisher) else {
            report.wrong(Rule::Positions, row, "no such service publishes a feed");
            continue;
        };
        let (head, lineage, trimmed) =
            database.read(|tx| Ok((feed::head(tx)?, Lineage::read(tx)?, trimmed(tx)?)))?;
        let Position { epoch, .. } = position;
        let sequence = position.sequence.max(position.snapshot);
        // Before a fork it goes over by itself, once it runs.
        if !lineage.holds(follower::Position { epoch, sequence }) {
            let what = format!(
                "it is at {sequence} of epoch {epoch}, which the feed in {} does not hold; `pasar reconcile {service} \
                 {publisher}` puts it back",
                lineage.epoch
            );
            report.wrong(Rule::Positions, row, what);
        } else if sequence < trimmed {
            let what = format!(
                "it is at {sequence}, and the feed is kept after {trimmed}; `pasar reconcile {service} {publisher}` \
                 begins anew"
            );
            report.wrong(Rule::Positions, row, what);
        } else if sequence > head {
            let what = format!("{sequence} is ahead of the head, {head}");
            report.wrong(Rule::Positions, row, what);
        }
    }
    Ok(())
}

fn check_parked(database: &Inspector, report: &mut Report) -> Result<(), Fault> {
    report.looked_at(Rule::Parked, 1);
    let service = database.service();
    for parked in database.read(|tx| feed::parked(tx, MOST_PARKED_SHOWN))? {
        let Parked {
            publisher,
            sequence,
            key,
            fault,
        } = parked;
        report.wrong(
            Rule::Parked,
            format!("{service} parked {publisher} {sequence}"),
            format!("{key} waits: {fault}"),
        );
    }
    Ok(())
}
