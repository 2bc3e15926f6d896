//! Stock, its movements and reservations.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::{
    id::{LocationId, OrderId},
    sku::Sku,
};
use serde::Deserialize;

/// Units of a product, as reservations keep them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::check) struct Line {
    pub(in crate::check) sku: Sku,
    pub(in crate::check) quantity: i64,
}

pub(in crate::check) struct Stock {
    pub(in crate::check) location: LocationId,
    pub(in crate::check) sku: Sku,
    pub(in crate::check) on_hand: i64,
    pub(in crate::check) reserved: i64,
    /// Number of the newest movement.
    pub(in crate::check) moved: i64,
}

pub(in crate::check) struct Movement {
    pub(in crate::check) number: i64,
    pub(in crate::check) change: i64,
    pub(in crate::check) on_hand: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Reservation {
    pub(in crate::check) order: OrderId,
    pub(in crate::check) location: LocationId,
    pub(in crate::check) state: String,
    pub(in crate::check) lines: Vec<Line>,
}

pub(in crate::check) fn stock(
    tx: &Tx<'_>,
    after: &(LocationId, String),
    limit: i64,
) -> Result<Vec<Stock>, Fault> {
    tx.query_all(
        "SELECT location, sku, on_hand, reserved, moved FROM stock
         WHERE (location, sku) > (?1, ?2) ORDER BY location, sku LIMIT ?3",
        &[&after.0, &after.1, &limit],
        |row| {
            Ok(Stock {
                location: row.get(0)?,
                sku: row.get(1)?,
                on_hand: row.get(2)?,
                reserved: row.get(3)?,
                moved: row.get(4)?,
            })
        },
    )
}

pub(in crate::check) fn movements(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    after: i64,
    limit: i64,
) -> Result<Vec<Movement>, Fault> {
    tx.query_all(
        "SELECT number, change, on_hand FROM movement
         WHERE location = ?1 AND sku = ?2 AND number > ?3 ORDER BY number LIMIT ?4",
        &[&location, sku, &after, &limit],
        |row| {
            Ok(Movement {
                number: row.get(0)?,
                change: row.get(1)?,
                on_hand: row.get(2)?,
            })
        },
    )
}

pub(in crate::check) fn reservation(
    tx: &Tx<'_>,
    order: OrderId,
) -> Result<Option<Reservation>, Fault> {
    tx.query_opt(
        "SELECT order_id, location, state, lines FROM reservation WHERE order_id = ?1",
        &[&order],
        |row| {
            Ok(Reservation {
                order: row.get(0)?,
                location: row.get(1)?,
                state: row.get(2)?,
                lines: row.json(3)?,
            })
        },
    )
}

pub(in crate::check) fn reservation_ids(
    tx: &Tx<'_>,
    after: OrderId,
    limit: i64,
) -> Result<Vec<OrderId>, Fault> {
    tx.query_all(
        "SELECT order_id FROM reservation WHERE order_id > ?1 ORDER BY order_id LIMIT ?2",
        &[&after, &limit],
        |row| row.get(0),
    )
}

/// Reservations of a location that hold units.
pub(in crate::check) fn held(
    tx: &Tx<'_>,
    location: LocationId,
    after: OrderId,
    limit: i64,
) -> Result<Vec<Reservation>, Fault> {
    tx.query_all(
        "SELECT order_id, location, state, lines FROM reservation
         WHERE location = ?1 AND state = 'held' AND order_id > ?2 ORDER BY order_id LIMIT ?3",
        &[&location, &after, &limit],
        |row| {
            Ok(Reservation {
                order: row.get(0)?,
                location: row.get(1)?,
                state: row.get(2)?,
                lines: row.json(3)?,
            })
        },
    )
}

/// All that refunds of an order brought back.
pub(in crate::check) fn returned(tx: &Tx<'_>, order: OrderId) -> Result<Vec<Line>, Fault> {
    let returns = tx.query_all(
        "SELECT lines FROM stock_return WHERE order_id = ?1",
        &[&order],
        |row| row.json::<Vec<Line>>(0),
    )?;
    Ok(returns.into_iter().flatten().collect())
}
