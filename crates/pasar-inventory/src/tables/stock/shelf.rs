//! A row of `stock` that is changed in memory and written over what was read.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::LocationId, sku::Sku};

use super::Moved;

/// A product's stock at a location, and what the product says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shelf {
    pub(crate) track_stock: bool,
    pub(crate) sold_out: bool,
    /// `None` if nothing ever moved.
    read: Option<Standing>,
    now: Standing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    on_hand: i64,
    reserved: i64,
    moved: i64,
    keyversion: i64,
}

/// Those of the products that exist.
pub(crate) fn shelves(
    tx: &Tx<'_>,
    location: LocationId,
    skus: &[Sku],
) -> Result<Vec<(Sku, Shelf)>, Fault> {
    tx.query_among(
        "SELECT p.sku, p.track_stock, CASE WHEN o.sku IS NULL THEN 0 ELSE 1 END,
                s.on_hand, s.reserved, s.moved, s.keyversion
         FROM product p
         LEFT JOIN stock s ON s.location = ?2 AND s.sku = p.sku
         LEFT JOIN sold_out o ON o.sku = p.sku AND o.location = ?2
         WHERE p.sku = ?1",
        skus,
        &[&location],
        |row| Ok((row.get(0)?, shelf(row)?)),
    )
}

impl Shelf {
    pub(crate) const fn available(&self) -> i64 {
        self.now.on_hand - self.now.reserved
    }

    /// False if there are not so many.
    pub(crate) const fn hold(&mut self, quantity: i64) -> bool {
        let has_room = self.read.is_some() && self.available() >= quantity;
        if has_room {
            self.now.reserved += quantity;
        }
        has_room
    }

    pub(crate) const fn let_go(&mut self, quantity: i64) {
        self.now.reserved -= quantity;
    }

    /// Takes held units off. `None` if not so many are held.
    pub(crate) fn sell(&mut self, quantity: i64) -> Option<Moved> {
        let now = &mut self.now;
        if self.read.is_none() || now.reserved < quantity {
            return None;
        }
        now.on_hand -= quantity;
        now.reserved -= quantity;
        now.moved += 1;
        Some(Moved {
            number: now.moved,
            on_hand: now.on_hand,
            keyversion: now.keyversion,
        })
    }

    /// Writes what changed, if the row is still the one that was read.
    pub(crate) fn write(self, tx: &Tx<'_>, location: LocationId, sku: &Sku) -> Result<(), Fault> {
        let Some(read) = self.read.filter(|read| *read != self.now) else {
            return Ok(());
        };
        tx.execute_one(
            "stock",
            "UPDATE stock SET on_hand = ?3, reserved = ?4, moved = ?5
             WHERE sku = ?1 AND location = ?2 AND on_hand = ?6 AND reserved = ?7 AND moved = ?8",
            &[
                sku,
                &location,
                &self.now.on_hand,
                &self.now.reserved,
                &self.now.moved,
                &read.on_hand,
                &read.reserved,
                &read.moved,
            ],
        )
    }
}

fn shelf(row: &Row<'_>) -> Result<Shelf, Fault> {
    let read = match row.get::<Option<i64>>(3)? {
        None => None,
        Some(on_hand) => Some(Standing {
            on_hand,
            reserved: row.get(4)?,
            moved: row.get(5)?,
            keyversion: row.get(6)?,
        }),
    };
    Ok(Shelf {
        track_stock: row.get(1)?,
        sold_out: row.get(2)?,
        read,
        now: read.unwrap_or_default(),
    })
}
