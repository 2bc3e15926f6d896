//! What inventory's and payments' events make orders do: the catalogue is copied, an order takes on what
//! is said about it.
//!
//! A type that is not known here is a newer version's: it parks its key until this service knows it.

use std::{sync::Arc, time::Duration};

use pasar_contracts::{
    event::{Event, Service},
    events::{
        inventory::{
            LocationChanged, ProductChanged, StockAdjusted, StockExpired, StockReceived,
            StockRefused, StockReleased, StockReserved, StockReturned, StockSold,
        },
        payments::{
            PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined, PaymentDue,
            PaymentInitiated, PaymentRefundFailed, PaymentRefunded, PaymentRequiresAction,
            PaymentVoided,
        },
    },
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{
    context::Context, fault::Fault, feed::FeedEvent, follower::one_by_one, lane::LaneKey,
};
use pasar_types::id::{LocationId, OrderId};
use serde::Deserialize;

use crate::{
    commands::record_fact::{Desk, Ended, RefundEnded, record_fact, record_refund},
    fact::Fact,
    tables::catalogue,
};

/// Reacts to inventory's feed.
#[derive(Clone, Copy, Debug)]
pub struct InventoryReactions {
    pub pay_within: Duration,
}

/// Reacts to payments' feed.
#[derive(Clone, Copy, Debug)]
pub struct PaymentReactions {
    pub pay_within: Duration,
}

/// What every event of an order's flow says about its lane.
#[derive(Deserialize)]
struct Place {
    location_id: LocationId,
}

impl Reactions for InventoryReactions {
    fn wants(&self, event_type: &str) -> bool {
        !matches!(
            event_type,
            StockReceived::TYPE | StockAdjusted::TYPE | StockReturned::TYPE
        )
    }

    fn route(&self, event: &FeedEvent) -> Result<Route, Fault> {
        match event.event_type.as_str() {
            ProductChanged::TYPE | LocationChanged::TYPE => Ok(Route::One(LaneKey::ZERO)),
            _ => lane_of(event),
        }
    }

    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        self.take(ctx, &mut Desk::default(), event)
    }

    fn react_all(
        &self,
        ctx: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        let mut desk = desk_of(ctx, events)?;
        one_by_one(ctx, publisher, events, |ctx, event| {
            self.take(ctx, &mut desk, event)
        })
    }
}

impl InventoryReactions {
    fn take(self, ctx: &mut Context<'_>, desk: &mut Desk, event: &FeedEvent) -> Result<(), Fault> {
        let (order, fact) = match event.event_type.as_str() {
            ProductChanged::TYPE => {
                return catalogue::put_product(ctx, event.keyversion, &event.decode()?);
            }
            LocationChanged::TYPE => {
                return catalogue::put_location(ctx, event.keyversion, &event.decode()?);
            }
            StockReserved::TYPE => {
                let StockReserved { order_id, .. } = event.decode()?;
                (order_id, Fact::StockReserved)
            }
            StockRefused::TYPE => {
                let refused: StockRefused = event.decode()?;
                let shortages = refused.shortages;
                (refused.order_id, Fact::StockRefused { shortages })
            }
            StockExpired::TYPE => {
                let StockExpired { order_id, .. } = event.decode()?;
                (order_id, Fact::StockExpired)
            }
            StockReleased::TYPE => {
                let StockReleased { order_id, .. } = event.decode()?;
                (order_id, Fact::StockReleased)
            }
            StockSold::TYPE => {
                let StockSold { order_id, .. } = event.decode()?;
                (order_id, Fact::StockSold)
            }
            _ => return Err(unknown(event)),
        };
        record_fact(ctx, desk, order, fact, self.pay_within).map(drop)
    }
}

impl Reactions for PaymentReactions {
    fn wants(&self, event_type: &str) -> bool {
        event_type != PaymentInitiated::TYPE
    }

    fn route(&self, event: &FeedEvent) -> Result<Route, Fault> {
        lane_of(event)
    }

    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        self.take(ctx, &mut Desk::default(), event)
    }

    fn react_all(
        &self,
        ctx: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        let mut desk = desk_of(ctx, events)?;
        one_by_one(ctx, publisher, events, |ctx, event| {
            self.take(ctx, &mut desk, event)
        })
    }
}

impl PaymentReactions {
    fn take(self, ctx: &mut Context<'_>, desk: &mut Desk, event: &FeedEvent) -> Result<(), Fault> {
        match event.event_type.as_str() {
            PaymentRefunded::TYPE => {
                let refunded: PaymentRefunded = event.decode()?;
                let ended = RefundEnded {
                    refund: refunded.refund_id,
                    amount: refunded.amount,
                    ended: Ended::Succeeded {
                        in_full: refunded.in_full,
                    },
                };
                record_refund(ctx, desk, refunded.payment.order_id, ended, self.pay_within)
                    .map(drop)
            }
            PaymentRefundFailed::TYPE => {
                let failed: PaymentRefundFailed = event.decode()?;
                let ended = RefundEnded {
                    refund: failed.refund_id,
                    amount: failed.amount,
                    ended: Ended::Failed,
                };
                record_refund(ctx, desk, failed.payment.order_id, ended, self.pay_within).map(drop)
            }
            _ => {
                let (order, fact) = payment_fact(event)?;
                record_fact(ctx, desk, order, fact, self.pay_within).map(drop)
            }
        }
    }
}

/// The orders that a stretch of events is about: their keys are the orders'.
fn desk_of(ctx: &Context<'_>, events: &[Arc<FeedEvent>]) -> Result<Desk, Fault> {
    let mut orders: Vec<OrderId> = events.iter().filter_map(|it| it.key.parse().ok()).collect();
    orders.sort_unstable();
    orders.dedup();
    Desk::with(ctx, &orders)
}

fn payment_fact(event: &FeedEvent) -> Result<(OrderId, Fact), Fault> {
    let (payment, fact) = match event.event_type.as_str() {
        PaymentRequiresAction::TYPE => {
            let required: PaymentRequiresAction = event.decode()?;
            let fact = Fact::ActionRequired {
                action: event.decode_private()?,
                expires_at: required.expires_at,
            };
            (required.payment, fact)
        }
        PaymentDue::TYPE => {
            let PaymentDue { payment, .. } = event.decode()?;
            (payment, Fact::Due)
        }
        PaymentAuthorized::TYPE => {
            let PaymentAuthorized { payment, .. } = event.decode()?;
            (payment, Fact::Authorized)
        }
        PaymentDeclined::TYPE => {
            let PaymentDeclined { payment, .. } = event.decode()?;
            (payment, Fact::Declined)
        }
        PaymentCaptured::TYPE => {
            let PaymentCaptured { payment, amount } = event.decode()?;
            (payment, Fact::Captured { amount })
        }
        PaymentCaptureFailed::TYPE => {
            let PaymentCaptureFailed { payment, .. } = event.decode()?;
            (payment, Fact::CaptureFailed)
        }
        PaymentVoided::TYPE => {
            let PaymentVoided { payment, reason } = event.decode()?;
            (payment, Fact::Voided { reason })
        }
        _ => return Err(unknown(event)),
    };
    Ok((payment.order_id, fact))
}

fn lane_of(event: &FeedEvent) -> Result<Route, Fault> {
    let place: Place = serde_json::from_str(&event.data)
        .map_err(|error| Fault::Corrupt(format!("event {}: {error}", event.id)))?;
    Ok(Route::One(LaneKey::of(place.location_id.as_bytes())))
}

fn unknown(event: &FeedEvent) -> Fault {
    Fault::Corrupt(format!(
        "event {} is of the unknown type {}",
        event.id, event.event_type
    ))
}

#[cfg(test)]
mod tests;
