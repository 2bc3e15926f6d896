//! Rows of `stock`. Each statement states what must hold for it to touch its row; together with the
//! table's CHECK that makes overselling impossible.

mod shelf;

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::LocationId, sku::Sku};

pub(crate) use self::shelf::{Shelf, shelves};
use crate::stock::{Level, Line, MAX_ON_HAND};

/// A row of stock after a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The movement's number.
    pub(crate) number: i64,
    pub(crate) on_hand: i64,
    /// Version for an event about an intake or adjustment.
    pub(crate) keyversion: i64,
}

/// Gives held units back.
pub(crate) fn release(tx: &Tx<'_>, location: LocationId, line: &Line) -> Result<(), Fault> {
    let rows = tx.execute(
        "UPDATE stock SET reserved = reserved - ?3
         WHERE location = ?1 AND sku = ?2 AND reserved >= ?3",
        &[&location, &line.sku, &line.quantity],
    )?;
    if rows == 1 {
        Ok(())
    } else {
        Err(not_held(location, line))
    }
}

/// Sells units that nobody holds. `None` if there are not so many.
pub(crate) fn sell_unheld(
    tx: &Tx<'_>,
    location: LocationId,
    line: &Line,
) -> Result<Option<Moved>, Fault> {
    tx.query_opt(
        "UPDATE stock SET on_hand = on_hand - ?3, moved = moved + 1
         WHERE location = ?1 AND sku = ?2 AND on_hand - reserved >= ?3
         RETURNING moved, on_hand, keyversion",
        &[&location, &line.sku, &line.quantity],
        moved,
    )
}

/// Takes sold units back.
pub(crate) fn put_back(tx: &Tx<'_>, location: LocationId, line: &Line) -> Result<Moved, Fault> {
    tx.query_opt(
        "UPDATE stock SET on_hand = on_hand + ?3, moved = moved + 1
         WHERE location = ?1 AND sku = ?2
         RETURNING moved, on_hand, keyversion",
        &[&location, &line.sku, &line.quantity],
        moved,
    )?
    .ok_or_else(|| not_held(location, line))
}

/// Adds units that came in. `None` if more would be on hand than may be.
pub(crate) fn add(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    quantity: i64,
) -> Result<Option<Moved>, Fault> {
    tx.query_opt(
        "INSERT INTO stock (location, sku, on_hand, reserved, moved, keyversion)
         VALUES (?1, ?2, ?3, 0, 1, 1)
         ON CONFLICT (location, sku) DO UPDATE
         SET on_hand = stock.on_hand + excluded.on_hand, moved = stock.moved + 1,
             keyversion = stock.keyversion + 1
         WHERE stock.on_hand + excluded.on_hand <= ?4
         RETURNING moved, on_hand, keyversion",
        &[&location, sku, &quantity, &MAX_ON_HAND],
        moved,
    )
}

/// Nothing if nothing ever moved.
pub(crate) fn level(tx: &Tx<'_>, location: LocationId, sku: &Sku) -> Result<Level, Fault> {
    let row = tx.query_opt(
        "SELECT on_hand, reserved FROM stock WHERE location = ?1 AND sku = ?2",
        &[&location, sku],
        |row| {
            Ok(Level {
                on_hand: row.get(0)?,
                reserved: row.get(1)?,
            })
        },
    )?;
    Ok(row.unwrap_or_default())
}

/// Sets what is on hand, if the level is still the one that was read.
pub(crate) fn set_on_hand(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    read: Level,
    on_hand: i64,
) -> Result<Moved, Fault> {
    tx.query_opt(
        "INSERT INTO stock (location, sku, on_hand, reserved, moved, keyversion)
         VALUES (?1, ?2, ?3, 0, 1, 1)
         ON CONFLICT (location, sku) DO UPDATE
         SET on_hand = excluded.on_hand, moved = stock.moved + 1, keyversion = stock.keyversion + 1
         WHERE stock.on_hand = ?4 AND stock.reserved = ?5
         RETURNING moved, on_hand, keyversion",
        &[&location, sku, &on_hand, &read.on_hand, &read.reserved],
        moved,
    )?
    .ok_or(Fault::Conflict("stock"))
}

fn moved(row: &Row<'_>) -> Result<Moved, Fault> {
    Ok(Moved {
        number: row.get(0)?,
        on_hand: row.get(1)?,
        keyversion: row.get(2)?,
    })
}

/// A reservation names units that the stock does not hold: its key is parked, the rest goes on.
pub(crate) fn not_held(location: LocationId, line: &Line) -> Fault {
    Fault::Bug(format!(
        "the stock of {} at {location} does not hold the {} units that a reservation names",
        line.sku, line.quantity
    ))
}
