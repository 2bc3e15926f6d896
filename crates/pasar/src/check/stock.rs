//! Stock is the fold of its movements, its movements are what the feed tells, and what is reserved
//! is what reservations hold.

use std::collections::BTreeMap;

use pasar_contracts::events::inventory::{
    ReleaseKind, StockAdjusted, StockReceived, StockReleased, StockReturned, StockSold,
};
use pasar_store::{fault::Fault, feed::trimmed as feed_trimmed, tx::Tx};
use pasar_types::{id::LocationId, sku::Sku};
use serde::de::DeserializeOwned;

use super::{
    databases::Shop,
    report::{Report, Rule},
    tables::{
        feed::{self, StockEvent},
        inventory::{self, Line, Reservation, Stock},
        row,
    },
};

const PAGE: i64 = 2_000;

/// Where a product is.
type Shelf = (LocationId, Sku);

/// Units by place and product.
type Units = BTreeMap<Shelf, i64>;

struct Told {
    units: Units,
    /// The place after which the feed was read.
    trimmed: i64,
}

/// While it is trimmed at the same time.
const TRIES: usize = 5;

pub(super) fn check(shop: &Shop, report: &mut Report) -> Result<(), Fault> {
    // One snapshot: all of the stock, and how far the feed had told of it. What lies below both
    // never changes again, so that it can be read in pages.
    let (stock, head) = shop.inventory.read(|tx| {
        let stock = all_stock(tx)?;
        let reserved = reserved(tx, &stock)?;
        report_reserved(&stock, &reserved, report);
        Ok((stock, feed::head(tx)?))
    })?;
    let told = told(shop, head, report)?;
    for row in &stock {
        check_movements(shop, row, report)?;
        if let Some(told) = &told {
            report_told(row, told, report);
        }
    }
    Ok(())
}

fn name(row: &Stock) -> String {
    format!("inventory stock {} {}", row.location, row.sku)
}

fn all_stock(tx: &Tx<'_>) -> Result<Vec<Stock>, Fault> {
    let mut all: Vec<Stock> = Vec::new();
    let mut after = (row::first(), String::new());
    loop {
        let page = inventory::stock(tx, &after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = (last.location, last.sku.to_string());
        all.extend(page);
    }
}

fn reserved(tx: &Tx<'_>, stock: &[Stock]) -> Result<Units, Fault> {
    let mut units = Units::new();
    let mut locations: Vec<LocationId> = stock.iter().map(|row| row.location).collect();
    locations.dedup();
    for location in locations {
        let mut after = row::first();
        loop {
            let page = inventory::held(tx, location, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.order;
            for line in page.into_iter().flat_map(|reservation| reservation.lines) {
                *units.entry((location, line.sku)).or_default() += line.quantity;
            }
        }
    }
    Ok(units)
}

fn report_reserved(stock: &[Stock], reserved: &Units, report: &mut Report) {
    report.looked_at(Rule::StockReserved, stock.len());
    for row in stock {
        let held = reserved
            .get(&(row.location, row.sku.clone()))
            .copied()
            .unwrap_or_default();
        if row.reserved != held {
            let what = format!("{} reserved, reservations hold {held}", row.reserved);
            report.wrong(Rule::StockReserved, name(row), what);
        }
        if row.reserved < 0 || row.reserved > row.on_hand {
            let what = format!("{} reserved of {} on hand", row.reserved, row.on_hand);
            report.wrong(Rule::StockReserved, name(row), what);
        }
    }
}

/// Folds the movements up to the one that the stock's row names.
fn check_movements(shop: &Shop, row: &Stock, report: &mut Report) -> Result<(), Fault> {
    let mut number = 0;
    let mut on_hand = 0;
    'pages: loop {
        let page = shop
            .inventory
            .read(|tx| inventory::movements(tx, row.location, &row.sku, number, PAGE))?;
        if page.is_empty() {
            break;
        }
        for movement in page {
            if movement.number > row.moved {
                break 'pages;
            }
            report.looked_at(Rule::StockMovements, 1);
            number += 1;
            on_hand += movement.change;
            if movement.number != number || movement.on_hand != on_hand {
                let row = format!(
                    "inventory movement {} {} {}",
                    row.location, row.sku, movement.number
                );
                let what = format!(
                    "it says {} on hand, the sum up to it is {on_hand} (movement {number})",
                    movement.on_hand
                );
                report.wrong(Rule::StockMovements, row, what);
                return Ok(());
            }
        }
    }
    if number != row.moved || on_hand != row.on_hand {
        let what = format!(
            "{} on hand after {} movements; {number} movements add up to {on_hand}",
            row.on_hand, row.moved
        );
        report.wrong(Rule::StockMovements, name(row), what);
    }
    Ok(())
}

fn report_told(row: &Stock, told: &Told, report: &mut Report) {
    let units = told.units.get(&(row.location, row.sku.clone())).copied();
    // Of a trimmed feed only what was counted since then adds up.
    if units.is_none() && told.trimmed > 0 {
        return;
    }
    let told = units.unwrap_or_default();
    if told != row.on_hand {
        let what = format!("{} on hand, the feed tells of {told}", row.on_hand);
        report.wrong(Rule::StockEvents, name(row), what);
    }
}

/// What the feed's events up to a place leave on hand; none if it is trimmed faster than it can be read.
fn told(shop: &Shop, head: i64, report: &mut Report) -> Result<Option<Told>, Fault> {
    let mut trimmed = shop.inventory.read(feed_trimmed)?;
    for _ in 0..TRIES {
        let units = units_told(shop, trimmed, head, report)?;
        let now = shop.inventory.read(feed_trimmed)?;
        if now == trimmed {
            return Ok(Some(Told { units, trimmed }));
        }
        trimmed = now;
    }
    Ok(None)
}

/// Where the feed is trimmed, what is on hand is known from the first count after that.
fn units_told(shop: &Shop, trimmed: i64, head: i64, report: &mut Report) -> Result<Units, Fault> {
    let mut units = Units::new();
    let mut after = trimmed;
    loop {
        let found = shop.inventory.read(|tx| {
            let events = feed::stock_events(tx, after, head, PAGE)?;
            for event in &events {
                if let (Some((place, on_hand)), true) = (counted(event)?, trimmed > 0) {
                    units.insert(place, on_hand);
                    continue;
                }
                match moved(tx, event)? {
                    Some((location, lines)) => {
                        for Line { sku, quantity } in lines {
                            let place = (location, sku);
                            if trimmed == 0 || units.contains_key(&place) {
                                *units.entry(place).or_default() += quantity;
                            }
                        }
                    }
                    None => report.wrong(
                        Rule::StockEvents,
                        format!("inventory feed {}", event.sequence),
                        "it tells of a reservation that does not exist",
                    ),
                }
            }
            after = events.last().map_or(after, |event| event.sequence);
            Ok(events.len())
        })?;
        report.looked_at(Rule::StockEvents, found);
        if found == 0 {
            return Ok(units);
        }
    }
}

/// What an intake or a count left on hand.
fn counted(event: &StockEvent) -> Result<Option<(Shelf, i64)>, Fault> {
    Ok(match event.event_type.as_str() {
        "stock.received.v1" => {
            let event: StockReceived = decode(event)?;
            Some(((event.location_id, event.sku), event.on_hand))
        }
        "stock.adjusted.v1" => {
            let event: StockAdjusted = decode(event)?;
            Some(((event.location_id, event.sku), event.on_hand))
        }
        _ => None,
    })
}

/// The units that an event put on the shelf, or took off it.
fn moved(tx: &Tx<'_>, event: &StockEvent) -> Result<Option<(LocationId, Vec<Line>)>, Fault> {
    Ok(Some(match event.event_type.as_str() {
        "stock.received.v1" => {
            let event: StockReceived = decode(event)?;
            let quantity = event.quantity.get();
            (
                event.location_id,
                vec![Line {
                    sku: event.sku,
                    quantity,
                }],
            )
        }
        "stock.adjusted.v1" => {
            let event: StockAdjusted = decode(event)?;
            let quantity = event.change;
            (
                event.location_id,
                vec![Line {
                    sku: event.sku,
                    quantity,
                }],
            )
        }
        "stock.sold.v1" => {
            let event: StockSold = decode(event)?;
            let Some(reservation) = inventory::reservation(tx, event.order_id)? else {
                return Ok(None);
            };
            (event.location_id, negated(reservation.lines))
        }
        "stock.released.v1" => {
            let event: StockReleased = decode(event)?;
            if event.undone != ReleaseKind::SaleRestocked {
                return Ok(Some((event.location_id, Vec::new())));
            }
            let Some(Reservation { lines, .. }) = inventory::reservation(tx, event.order_id)?
            else {
                return Ok(None);
            };
            // What refunds brought back before did not come back again.
            let before = inventory::returned(tx, event.order_id)?;
            (
                event.location_id,
                lines.into_iter().chain(negated(before)).collect(),
            )
        }
        _ => {
            let event: StockReturned = decode(event)?;
            let lines = event.lines.into_iter().map(|line| Line {
                sku: line.sku,
                quantity: line.quantity.get(),
            });
            (event.location_id, lines.collect())
        }
    }))
}

fn negated(lines: Vec<Line>) -> Vec<Line> {
    let negate = |line: Line| Line {
        quantity: -line.quantity,
        ..line
    };
    lines.into_iter().map(negate).collect()
}

fn decode<E: DeserializeOwned>(event: &StockEvent) -> Result<E, Fault> {
    serde_json::from_str(&event.data)
        .map_err(|error| Fault::Corrupt(format!("inventory feed {}: {error}", event.sequence)))
}
