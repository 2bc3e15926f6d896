//! The relay's deliveries: how far each subscription is, and that all that waits is about something.

use pasar_store::{fault::Fault, inspect::Inspector};
use pasar_types::id::SubscriptionId;

use super::{
    databases::Databases,
    report::{Report, Rule},
    tables::relay::{self, Delivery},
};

const PAGE: i64 = 2_000;
const MOST_SHOWN: i64 = 100;

/// Nothing to look at in folders of a time before there was a relay.
pub(super) fn check(databases: &Databases, report: &mut Report) -> Result<(), Fault> {
    let Some(database) = &databases.relay else {
        return Ok(());
    };
    check_progress(database, report)?;
    check_deliveries(database, report)
}

fn check_progress(database: &Inspector, report: &mut Report) -> Result<(), Fault> {
    let (ends, watermark, strays, undelivered) = database.read(|tx| {
        Ok((
            relay::ends(tx)?,
            relay::highest_watermark(tx)?,
            relay::progress_of_nothing(tx, MOST_SHOWN)?,
            relay::outside_of_shares(tx, MOST_SHOWN)?,
        ))
    })?;
    report.looked_at(Rule::Progress, 1);
    if watermark > ends.head {
        let what = format!("{watermark} is ahead of the head, {}", ends.head);
        report.wrong(Rule::Progress, "relay watermark", what);
    }
    for stray in strays {
        let row = format!("relay progress of {stray}");
        report.wrong(Rule::Progress, row, "there is no such subscription");
    }
    for lost in undelivered {
        let row = format!("relay progress of {lost}");
        report.wrong(
            Rule::Progress,
            row,
            "there is no such share, so nobody delivers it",
        );
    }
    let mut after = SubscriptionId::from_bytes([0; 16]);
    loop {
        let (ends, page) =
            database.read(|tx| Ok((relay::ends(tx)?, relay::progress(tx, after, PAGE)?)))?;
        report.looked_at(Rule::Progress, page.len());
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.subscription;
        for of in page {
            let row = format!("relay progress of {}", of.subscription);
            match of.position {
                None => report.wrong(Rule::Progress, row, "it is missing"),
                Some(position) if position > ends.head => {
                    let what = format!("{position} is ahead of the head, {}", ends.head);
                    report.wrong(Rule::Progress, row, what);
                }
                Some(_) => {}
            }
        }
    }
}

fn check_deliveries(database: &Inspector, report: &mut Report) -> Result<(), Fault> {
    let start = (SubscriptionId::from_bytes([0; 16]), i64::MIN);
    let mut after = start;
    loop {
        let page = database.read(|tx| relay::retries(tx, after, PAGE))?;
        let Some(last) = page.last() else { break };
        after = (last.subscription, last.position);
        judge("retry", &page, report);
    }
    let mut after = start;
    loop {
        let page = database.read(|tx| relay::dead_letters(tx, after, PAGE))?;
        let Some(last) = page.last() else { break };
        after = (last.subscription, last.position);
        judge("dead_letter", &page, report);
    }
    for (number, position) in database.read(|tx| relay::attempts_ahead(tx, MOST_SHOWN))? {
        let what = format!("it is at message {position}, which is not there yet");
        report.wrong(Rule::Deliveries, format!("relay attempt {number}"), what);
    }
    Ok(())
}

fn judge(table: &str, page: &[Delivery], report: &mut Report) {
    report.looked_at(Rule::Deliveries, page.len());
    for delivery in page {
        let row = || {
            format!(
                "relay {table} {} of {}",
                delivery.position, delivery.subscription
            )
        };
        if !delivery.has_subscription {
            report.wrong(Rule::Deliveries, row(), "there is no such subscription");
        }
        if !delivery.has_message {
            report.wrong(Rule::Deliveries, row(), "there is no such message");
        }
        if delivery.is_held_by_nothing {
            let what = "it waits behind another of its key, and there is none";
            report.wrong(Rule::Deliveries, row(), what);
        }
    }
}
