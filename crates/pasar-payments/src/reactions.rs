//! Orders' events become this service's own commands. One match.

use pasar_contracts::api::payments::Token;
use pasar_contracts::{
    event::Event,
    events::orders::{
        OrderAbandoned, OrderCancelling, OrderPlaced, OrderRefundRequested, OrderSecured,
        PaymentToken,
    },
};
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey};
use pasar_types::id::OrderId;

use crate::{
    commands::{
        abandon_payment::{AbandonPayment, abandon_payment},
        cancel_payment::{CancelPayment, cancel_payment},
        capture_payment::{CapturePayment, capture_payment},
        initiate_payment::{InitiatePayment, initiate_payment},
        request_refund::{RequestRefund, request_refund},
    },
    methods::Methods,
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
                initiate_payment(ctx, command).map(|_| ())
            }
            OrderSecured::TYPE => {
                let order_id = event.decode::<OrderSecured>()?.order.order_id;
                capture_payment(ctx, CapturePayment { order_id }).map(|_| ())
            }
            OrderCancelling::TYPE => {
                let cancelling: OrderCancelling = event.decode()?;
                let command = CancelPayment {
                    order_id: cancelling.order.order_id,
                    location_id: cancelling.order.location_id,
                    by_staff: cancelling.by_staff,
                };
                cancel_payment(ctx, command).map(|_| ())
            }
            OrderAbandoned::TYPE => {
                let order_id = event.decode::<OrderAbandoned>()?.order.order_id;
                abandon_payment(ctx, AbandonPayment { order_id }).map(|_| ())
            }
            OrderRefundRequested::TYPE => {
                let requested: OrderRefundRequested = event.decode()?;
                let command = RequestRefund {
                    order_id: requested.order.order_id,
                    refund_id: requested.refund_id,
                    amount: requested.amount,
                };
                request_refund(ctx, command).map(|_| ())
            }
            other => Err(Fault::Bug(format!("a {other} was routed to payments"))),
        }
    }
}
