//! Each row is as new as the newest event of its key: state and feed were committed together.

use pasar_store::{fault::Fault, feed::trimmed, inspect::Inspector, tx::Tx};

use super::{
    databases::{Databases, Shop},
    report::{Report, Rule},
    tables::{
        feed,
        row::{self, Versioned},
    },
};

const PAGE: i64 = 500;

pub(super) fn check(databases: &Databases, report: &mut Report) -> Result<(), Fault> {
    check_table(&databases.users, "users", row::first(), row::users, report)?;
    if let Some(shop) = &databases.shop {
        check_shop(shop, report)?;
    }
    let Some(relay) = &databases.relay else {
        return Ok(());
    };
    check_table(
        relay,
        "subscription",
        row::first(),
        row::subscriptions,
        report,
    )
}

fn check_shop(shop: &Shop, report: &mut Report) -> Result<(), Fault> {
    let Shop {
        inventory,
        orders,
        payments,
        ..
    } = shop;
    check_table(inventory, "location", row::first(), row::locations, report)?;
    check_table(
        inventory,
        "product",
        String::new(),
        |tx, after, limit| row::products(tx, after, limit),
        report,
    )?;
    check_table(
        inventory,
        "reservation",
        row::first(),
        row::reservations,
        report,
    )?;
    check_table(orders, "orders", row::first(), row::orders, report)?;
    check_table(payments, "payment", row::first(), row::payments, report)
}

fn check_table<C>(
    database: &Inspector,
    table: &str,
    first: C,
    page: impl Fn(&Tx<'_>, &C, i64) -> Result<Vec<Versioned<C>>, Fault>,
    report: &mut Report,
) -> Result<(), Fault> {
    let service = database.service();
    let mut after = first;
    loop {
        let (trimmed, rows) = database.read(|tx| {
            let rows = page(tx, &after, PAGE)?.into_iter();
            let rows = rows.map(|row| Ok((feed::newest(tx, &row.key)?, row)));
            Ok((trimmed(tx)?, rows.collect::<Result<Vec<_>, Fault>>()?))
        })?;
        report.looked_at(Rule::RowVersions, rows.len());
        if rows.is_empty() {
            return Ok(());
        }
        for (newest, row) in rows {
            let (published, place) = newest.unwrap_or((0, 0));
            // What it was told by may be trimmed, with whatever there was after it.
            let is_gone = place <= trimmed && trimmed > 0 && published < row.keyversion;
            if published != row.keyversion && !is_gone {
                report.wrong(
                    Rule::RowVersions,
                    format!("{service} {table} {}", row.key),
                    format!(
                        "it is at version {}, its newest event at {published}",
                        row.keyversion
                    ),
                );
            }
            after = row.cursor;
        }
    }
}
