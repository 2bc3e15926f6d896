//! What an order's events make inventory do. Each is decided once an order (or refund), so an event
//! that comes again changes nothing and tells nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use pasar_contracts::{
    event::{Event, Service},
    events::orders::{OrderCancelling, OrderConfirmed, OrderPlaced, OrderRefundRequested},
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{
    context::Context, fault::Fault, feed::FeedEvent, follower::one_by_one, lane::LaneKey,
};
use pasar_types::{
    id::{LocationId, OrderId},
    quantity::Quantity,
    sku::Sku,
};
use serde::Deserialize;

use crate::{
    commands::{
        release_stock::{ReleaseStock, release_stock},
        reserve_stock::{self, ReserveStock, reserve_at},
        return_stock::{ReturnStock, return_stock},
        sell_stock::{SellStock, sell_at},
    },
    desk::Desk,
    stock::Line,
};

/// Reacts to the orders service's feed.
#[derive(Clone, Copy, Debug)]
pub struct OrderReactions {
    /// How much later than its order's deadline a reservation expires.
    pub reservation_margin: Duration,
}

/// What every order event says about its lane.
#[derive(Deserialize)]
struct Place {
    location_id: LocationId,
}

impl Reactions for OrderReactions {
    fn wants(&self, event_type: &str) -> bool {
        matches!(
            event_type,
            OrderPlaced::TYPE
                | OrderConfirmed::TYPE
                | OrderCancelling::TYPE
                | OrderRefundRequested::TYPE
        )
    }

    fn route(&self, event: &FeedEvent) -> Result<Route, Fault> {
        let place: Place = serde_json::from_str(&event.data)
            .map_err(|error| Fault::Corrupt(format!("event {}: {error}", event.id)))?;
        Ok(Route::One(LaneKey::of(place.location_id.as_bytes())))
    }

    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        let mut desk = Desk::default();
        if let Some(work) = self.work(event)? {
            take(ctx, &mut desk, work)?;
        }
        desk.write(ctx)
    }

    fn react_all(
        &self,
        ctx: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        let mut all = Vec::with_capacity(events.len());
        for event in events {
            all.push(self.work(event)?);
        }
        let mut desk = read(ctx, all.iter().flatten())?;
        let mut all = all.into_iter();
        one_by_one(ctx, publisher, events, |ctx, _| {
            match all.next().flatten() {
                Some(work) => take(ctx, &mut desk, work),
                None => Ok(()),
            }
        })?;
        desk.write(ctx)
    }
}

/// What an event asks for.
enum Work {
    Reserve(ReserveStock),
    Sell(SellStock),
    Release(ReleaseStock),
    Return(ReturnStock),
}

impl OrderReactions {
    fn work(self, event: &FeedEvent) -> Result<Option<Work>, Fault> {
        Ok(Some(match event.event_type.as_str() {
            OrderPlaced::TYPE => {
                let placed: OrderPlaced = event.decode()?;
                let lines = placed
                    .lines
                    .into_iter()
                    .map(|line| counted(line.sku, line.quantity));
                Work::Reserve(ReserveStock {
                    order: placed.order.order_id,
                    location: placed.order.location_id,
                    lines: lines.collect(),
                    expires_at: placed.deadline + self.reservation_margin,
                })
            }
            OrderConfirmed::TYPE => {
                let confirmed: OrderConfirmed = event.decode()?;
                Work::Sell(SellStock {
                    order: confirmed.order.order_id,
                })
            }
            OrderCancelling::TYPE => {
                let cancelling: OrderCancelling = event.decode()?;
                Work::Release(ReleaseStock {
                    order: cancelling.order.order_id,
                    location: cancelling.order.location_id,
                    restock: cancelling.restock,
                })
            }
            OrderRefundRequested::TYPE => {
                let refund: OrderRefundRequested = event.decode()?;
                let lines = refund
                    .restock
                    .into_iter()
                    .map(|line| counted(line.sku, line.quantity));
                Work::Return(ReturnStock {
                    order: refund.order.order_id,
                    refund: refund.refund_id,
                    lines: lines.collect(),
                })
            }
            _ => return Ok(None),
        }))
    }
}

/// Reads what reserving and selling need; the rest is rare and reads for itself.
fn read<'w>(
    ctx: &Context<'_>,
    work: impl Iterator<Item = &'w Work> + Clone,
) -> Result<Desk, Fault> {
    let orders: BTreeSet<OrderId> = work.clone().map(Work::order).collect();
    let mut desk = Desk::with(ctx, &Vec::from_iter(orders))?;
    let mut skus: BTreeMap<LocationId, BTreeSet<Sku>> = BTreeMap::new();
    for work in work {
        let (location, lines) = match work {
            Work::Reserve(command) => (command.location, &command.lines),
            Work::Sell(command) => match desk.reservation(ctx, command.order)? {
                Some(reservation) => (reservation.location, &reservation.lines),
                None => continue,
            },
            Work::Release(_) | Work::Return(_) => continue,
        };
        let lines = lines.iter().map(|line| line.sku.clone());
        skus.entry(location).or_default().extend(lines);
    }
    for (location, skus) in skus {
        desk.fetch(ctx, location, skus)?;
    }
    Ok(desk)
}

fn take(ctx: &mut Context<'_>, desk: &mut Desk, work: Work) -> Result<(), Fault> {
    match work {
        Work::Reserve(command) => count(&reserve_at(ctx, desk, &command)?),
        Work::Sell(command) => {
            sell_at(ctx, desk, command)?;
        }
        Work::Release(command) => {
            desk.write(ctx)?;
            desk.forget(command.order);
            release_stock(ctx, command)?;
        }
        Work::Return(command) => {
            desk.write(ctx)?;
            desk.forget(command.order);
            return_stock(ctx, &command)?;
        }
    }
    Ok(())
}

impl Work {
    const fn order(&self) -> OrderId {
        match self {
            Self::Reserve(command) => command.order,
            Self::Sell(command) => command.order,
            Self::Release(command) => command.order,
            Self::Return(command) => command.order,
        }
    }
}

fn counted(sku: Sku, quantity: Quantity) -> Line {
    Line {
        sku,
        quantity: quantity.get(),
    }
}

fn count(outcome: &reserve_stock::Outcome) {
    let outcome = match outcome {
        reserve_stock::Outcome::Reserved => "reserved",
        reserve_stock::Outcome::Insufficient(_) => "refused",
        reserve_stock::Outcome::AlreadyDecided => "already_decided",
    };
    metrics::counter!("pasar_stock_reservations_total", "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests;
