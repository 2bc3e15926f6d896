//! What an order's events make inventory do. Each is decided once an order (or refund), so an event
//! that comes again changes nothing and tells nothing.

use std::time::Duration;

use pasar_contracts::{
    event::Event,
    events::orders::{OrderCancelling, OrderConfirmed, OrderPlaced, OrderRefundRequested},
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey};
use pasar_types::{id::LocationId, quantity::Quantity, sku::Sku};
use serde::Deserialize;

use crate::{
    commands::{
        release_stock::{ReleaseStock, release_stock},
        reserve_stock::{self, ReserveStock, reserve_stock},
        return_stock::{ReturnStock, return_stock},
        sell_stock::{SellStock, sell_stock},
    },
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
        match event.event_type.as_str() {
            OrderPlaced::TYPE => {
                let placed: OrderPlaced = event.decode()?;
                let lines = placed
                    .lines
                    .into_iter()
                    .map(|line| counted(line.sku, line.quantity));
                let command = ReserveStock {
                    order: placed.order.order_id,
                    location: placed.order.location_id,
                    lines: lines.collect(),
                    expires_at: placed.deadline + self.reservation_margin,
                };
                count(&reserve_stock(ctx, &command)?);
                Ok(())
            }
            OrderConfirmed::TYPE => {
                let confirmed: OrderConfirmed = event.decode()?;
                let command = SellStock {
                    order: confirmed.order.order_id,
                };
                sell_stock(ctx, command).map(drop)
            }
            OrderCancelling::TYPE => {
                let cancelling: OrderCancelling = event.decode()?;
                let command = ReleaseStock {
                    order: cancelling.order.order_id,
                    location: cancelling.order.location_id,
                    restock: cancelling.restock,
                };
                release_stock(ctx, command).map(drop)
            }
            OrderRefundRequested::TYPE => {
                let refund: OrderRefundRequested = event.decode()?;
                let lines = refund
                    .restock
                    .into_iter()
                    .map(|line| counted(line.sku, line.quantity));
                let command = ReturnStock {
                    order: refund.order.order_id,
                    refund: refund.refund_id,
                    lines: lines.collect(),
                };
                return_stock(ctx, &command).map(drop)
            }
            _ => Ok(()),
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
