//! Orders' events become this service's own commands. One match.

use std::sync::Arc;

use pasar_contracts::api::payments::Token;
use pasar_contracts::{
    event::{Event, Service},
    events::orders::{
        OrderAbandoned, OrderCancelling, OrderPlaced, OrderRefundRequested, OrderSecured,
        PaymentToken,
    },
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{
    context::Context, fault::Fault, feed::FeedEvent, follower::one_by_one, lane::LaneKey,
};
use pasar_types::id::{OrderId, PaymentId};

use crate::{
    commands::{
        abandon_payment::{AbandonPayment, abandon_payment},
        cancel_payment::{CancelPayment, cancel_payment},
        capture_payment::{CapturePayment, capture_at},
        initiate_payment::{InitiatePayment, initiate_at},
        request_refund::{RequestRefund, request_refund},
    },
    desk::Desk,
    methods::Methods,
    payment::payment_of,
};

/// What this service does about orders' feed.
pub struct OrderReactions {
    methods: Methods,
}

impl OrderReactions {
    #[must_use]
    pub const fn new(methods: Methods) -> Self {
        Self { methods }
    }
}

impl Reactions for OrderReactions {
    fn wants(&self, event_type: &str) -> bool {
        matches!(
            event_type,
            OrderPlaced::TYPE
                | OrderSecured::TYPE
                | OrderCancelling::TYPE
                | OrderAbandoned::TYPE
                | OrderRefundRequested::TYPE
        )
    }

    fn route(&self, event: &FeedEvent) -> Result<Route, Fault> {
        let order: OrderId = event
            .key
            .parse()
            .map_err(|error| Fault::Corrupt(format!("key of event {}: {error}", event.id)))?;
        Ok(Route::One(LaneKey::of(order.as_bytes())))
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
        let orders = events.iter().filter_map(|event| event.key.parse().ok());
        let mut payments: Vec<PaymentId> = orders.map(payment_of).collect();
        payments.sort_unstable();
        payments.dedup();
        let mut desk = Desk::with(ctx, &payments)?;
        one_by_one(ctx, publisher, events, |ctx, event| {
            self.take(ctx, &mut desk, event)
        })
    }
}

impl OrderReactions {
    fn take(&self, ctx: &mut Context<'_>, desk: &mut Desk, event: &FeedEvent) -> Result<(), Fault> {
        match &*event.event_type {
            OrderPlaced::TYPE => {
                let placed: OrderPlaced = event.decode()?;
                let private: Option<PaymentToken> = event.decode_private()?;
                let command = InitiatePayment {
                    order_id: placed.order.order_id,
                    location_id: placed.order.location_id,
                    method_known: self.methods.knows(&placed.method),
                    method: placed.method,
                    amount: placed.total,
                    token: private.map(|private| Token(private.token)),
                };
                initiate_at(ctx, desk, command).map(|_| ())
            }
            OrderSecured::TYPE => {
                let order_id = event.decode::<OrderSecured>()?.order.order_id;
                capture_at(ctx, desk, CapturePayment { order_id }).map(|_| ())
            }
            OrderCancelling::TYPE => {
                let cancelling: OrderCancelling = event.decode()?;
                let command = CancelPayment {
                    order_id: cancelling.order.order_id,
                    location_id: cancelling.order.location_id,
                    by_staff: cancelling.by_staff,
                };
                desk.forget(payment_of(command.order_id));
                cancel_payment(ctx, command).map(|_| ())
            }
            OrderAbandoned::TYPE => {
                let order_id = event.decode::<OrderAbandoned>()?.order.order_id;
                desk.forget(payment_of(order_id));
                abandon_payment(ctx, AbandonPayment { order_id }).map(|_| ())
            }
            OrderRefundRequested::TYPE => {
                let requested: OrderRefundRequested = event.decode()?;
                let command = RequestRefund {
                    order_id: requested.order.order_id,
                    refund_id: requested.refund_id,
                    amount: requested.amount,
                };
                desk.forget(payment_of(command.order_id));
                request_refund(ctx, command).map(|_| ())
            }
            other => Err(Fault::Bug(format!("a {other} was routed to payments"))),
        }
    }
}

#[cfg(test)]
mod tests;
