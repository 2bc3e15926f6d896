//! What a stretch of events is about, read together: the reservations of its orders, and the stock that they hold or
//! take. Stock changes in memory and is written once a product, over what was read.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{LocationId, OrderId},
    sku::Sku,
};

use crate::{
    stock::Line,
    tables::{
        reservations::{self, Reservation},
        stock::{self, Moved, Shelf},
    },
};

/// An empty one reads what it is asked for.
#[derive(Default)]
pub(crate) struct Desk {
    /// `None` for an order whose stock was never decided.
    reservations: HashMap<OrderId, Option<Reservation>>,
    /// `None` for a product that does not exist.
    shelves: BTreeMap<(LocationId, Sku), Option<Shelf>>,
}

/// What one line comes to.
pub(crate) enum Hold {
    Held,
    /// Nobody counts the product: nothing to hold.
    NotCounted,
    Short {
        available: i64,
    },
}

impl Desk {
    /// Reads what is known about the stock of orders.
    pub(crate) fn with(ctx: &Context<'_>, orders: &[OrderId]) -> Result<Self, Fault> {
        let mut desk = Self::default();
        desk.reservations
            .extend(orders.iter().map(|it| (*it, None)));
        for reservation in reservations::find_all(ctx, orders)? {
            desk.keep(reservation);
        }
        Ok(desk)
    }

    /// Reads the stock that is going to be changed.
    pub(crate) fn fetch(
        &mut self,
        ctx: &Context<'_>,
        location: LocationId,
        skus: BTreeSet<Sku>,
    ) -> Result<(), Fault> {
        let wanted: Vec<Sku> = skus
            .into_iter()
            .filter(|sku| !self.shelves.contains_key(&(location, sku.clone())))
            .collect();
        for (sku, shelf) in stock::shelves(ctx, location, &wanted)? {
            self.shelves.insert((location, sku), Some(shelf));
        }
        for sku in wanted {
            self.shelves.entry((location, sku)).or_default();
        }
        Ok(())
    }

    pub(crate) fn reservation(
        &mut self,
        ctx: &Context<'_>,
        order: OrderId,
    ) -> Result<Option<&Reservation>, Fault> {
        if let Entry::Vacant(place) = self.reservations.entry(order) {
            place.insert(reservations::find(ctx, order)?);
        }
        Ok(self.reservations[&order].as_ref())
    }

    /// Takes over a reservation as it was just written.
    pub(crate) fn keep(&mut self, reservation: Reservation) {
        self.reservations
            .insert(reservation.order, Some(reservation));
    }

    /// Holds units if so many are free, the product is counted and not sold out today.
    pub(crate) fn hold(
        &mut self,
        ctx: &Context<'_>,
        location: LocationId,
        line: &Line,
    ) -> Result<Hold, Fault> {
        let Some(shelf) = self.shelf(ctx, location, &line.sku)? else {
            return Ok(Hold::Short { available: 0 });
        };
        Ok(if shelf.sold_out {
            Hold::Short { available: 0 }
        } else if !shelf.track_stock {
            Hold::NotCounted
        } else if shelf.hold(line.quantity) {
            Hold::Held
        } else {
            Hold::Short {
                available: shelf.available(),
            }
        })
    }

    /// Gives back what this desk held.
    pub(crate) fn let_go(&mut self, location: LocationId, line: &Line) {
        let key = (location, line.sku.clone());
        if let Some(Some(shelf)) = self.shelves.get_mut(&key) {
            shelf.let_go(line.quantity);
        }
    }

    /// Sells held units.
    pub(crate) fn sell(
        &mut self,
        ctx: &Context<'_>,
        location: LocationId,
        line: &Line,
    ) -> Result<Moved, Fault> {
        self.shelf(ctx, location, &line.sku)?
            .and_then(|shelf| shelf.sell(line.quantity))
            .ok_or_else(|| stock::not_held(location, line))
    }

    /// Writes the stock that changed. What others change from here on is read again.
    pub(crate) fn write(&mut self, ctx: &Context<'_>) -> Result<(), Fault> {
        for ((location, sku), shelf) in std::mem::take(&mut self.shelves) {
            if let Some(shelf) = shelf {
                shelf.write(ctx, location, &sku)?;
            }
        }
        Ok(())
    }

    /// Somebody else decides about an order's stock.
    pub(crate) fn forget(&mut self, order: OrderId) {
        self.reservations.remove(&order);
    }

    fn shelf(
        &mut self,
        ctx: &Context<'_>,
        location: LocationId,
        sku: &Sku,
    ) -> Result<Option<&mut Shelf>, Fault> {
        let key = (location, sku.clone());
        if !self.shelves.contains_key(&key) {
            self.fetch(ctx, location, BTreeSet::from([sku.clone()]))?;
        }
        Ok(self.shelves.get_mut(&key).and_then(Option::as_mut))
    }
}
