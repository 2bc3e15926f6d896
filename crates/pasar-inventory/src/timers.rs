//! The service's timers by name: when a reservation is too old, and when a business day ends.
//!
//! A reservation that is due is not taken back here: its order may have been confirmed in events that
//! were not read yet. That question needs the orders feed, so it goes to an effect ([`crate::expiry`]).

use pasar_store::{context::Context, fault::Fault, lane::LaneKey, store::Store};
use pasar_types::{
    id::{LocationId, OrderId},
    sku::Sku,
    time::Timestamp,
};

use crate::{
    commands::clear_sold_out::{ClearSoldOut, clear_sold_out},
    expiry,
    stock::ReservationState,
    tables::reservations,
};

/// The key is the order id.
pub(crate) const EXPIRY: &str = "reservation_expiry";
/// The key is the location id, a slash and the SKU.
pub(crate) const SOLD_OUT_END: &str = "sold_out_end";

/// The lane that a timer's rows are written from. Read from an immutable column; where there is one lane,
/// nothing needs to be read.
pub(crate) fn lane(store: Store) -> impl Fn(&str, &str) -> LaneKey + Send + Sync + 'static {
    move |kind, key| {
        if store.lanes() == 1 || kind != EXPIRY {
            return LaneKey::ZERO;
        }
        let location = key.parse().ok().and_then(|order| {
            store
                .read_now(|tx| reservations::location_of(tx, order))
                .ok()?
        });
        location.map_or(LaneKey::ZERO, |location| LaneKey::of(location.as_bytes()))
    }
}

/// What happens when a timer is due, in the transaction that deletes it.
pub(crate) fn fire(ctx: &mut Context<'_>, kind: &str, key: &str) -> Result<(), Fault> {
    match kind {
        EXPIRY => {
            let order: OrderId = parsed(key)?;
            let held = reservations::find(ctx, order)?
                .filter(|reservation| reservation.state == ReservationState::Held);
            if let Some(reservation) = held {
                ctx.join_flow(reservation.flow);
                expiry::enqueue(ctx, &reservation)?;
            }
            Ok(())
        }
        SOLD_OUT_END => {
            let (location, sku) = key.split_once('/').ok_or_else(|| unreadable(key))?;
            let command = ClearSoldOut {
                sku: parsed(sku)?,
                location: parsed(location)?,
            };
            clear_sold_out(ctx, &command).map(drop)
        }
        _ => Err(Fault::Corrupt(format!("unknown timer {kind} of {key}"))),
    }
}

pub(crate) fn set_expiry(ctx: &mut Context<'_>, order: &str, due: Timestamp) -> Result<(), Fault> {
    ctx.set_timer(EXPIRY, order, due)
}

pub(crate) fn cancel_expiry(
    ctx: &mut Context<'_>,
    order: &str,
    due: Timestamp,
) -> Result<(), Fault> {
    ctx.drop_timer(EXPIRY, order, due)
}

pub(crate) fn set_sold_out_end(
    ctx: &mut Context<'_>,
    sku: &Sku,
    location: LocationId,
    due: Timestamp,
) -> Result<(), Fault> {
    ctx.set_timer(SOLD_OUT_END, &format!("{location}/{sku}"), due)
}

pub(crate) fn cancel_sold_out_end(
    ctx: &mut Context<'_>,
    sku: &Sku,
    location: LocationId,
    due: Timestamp,
) -> Result<(), Fault> {
    ctx.drop_timer(SOLD_OUT_END, &format!("{location}/{sku}"), due)
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| unreadable(text))
}

fn unreadable(key: &str) -> Fault {
    Fault::Corrupt(format!("the key of a timer: {key:?}"))
}
