//! An order's own events as its stream tells them: with the state after each, without what is private
//! or personal.

use pasar_contracts::{
    api::orders::{OrderChange, OrderState},
    event::Event,
    events::orders::{
        OrderAbandoned, OrderCancelled, OrderCancelling, OrderCollected, OrderConfirmed,
        OrderPlaced, OrderPreparing, OrderReady, OrderRef,
    },
};
use pasar_store::{fault::Fault, feed::FeedEvent};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Reads an order's events in the order of their versions, from the first on.
pub(crate) struct Changes {
    state: OrderState,
    version: i64,
}

#[derive(Deserialize)]
struct Data {
    /// Takes the customer's id out of the rest, too.
    #[serde(flatten)]
    order: OrderRef,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Changes {
    pub(crate) const fn new() -> Self {
        Self {
            state: OrderState::Placed,
            version: 0,
        }
    }

    pub(crate) const fn state(&self) -> OrderState {
        self.state
    }

    /// The last version that was taken.
    pub(crate) const fn version(&self) -> i64 {
        self.version
    }

    /// Takes the next event; `None` if it was taken before.
    pub(crate) fn take(&mut self, event: &FeedEvent) -> Result<Option<OrderChange>, Fault> {
        if event.keyversion <= self.version {
            return Ok(None);
        }
        self.version = event.keyversion;
        self.state = state_after(&event.event_type).unwrap_or(self.state);
        let Data { order, more } = serde_json::from_str(&event.data)
            .map_err(|error| Fault::Corrupt(format!("own event {}: {error}", event.id)))?;
        Ok(Some(OrderChange {
            order_id: order.order_id,
            location_id: order.location_id,
            number: order.number,
            state: self.state,
            version: event.keyversion,
            time: event.time,
            more,
        }))
    }
}

/// What a stream calls an event: its type without the version.
pub(crate) fn name(event_type: &str) -> &str {
    event_type
        .rsplit_once(".v")
        .map_or(event_type, |(name, _)| name)
}

/// The state that an event brings, if it brings one.
fn state_after(event_type: &str) -> Option<OrderState> {
    Some(match event_type {
        OrderPlaced::TYPE => OrderState::Placed,
        OrderConfirmed::TYPE => OrderState::Confirmed,
        OrderPreparing::TYPE => OrderState::Preparing,
        OrderReady::TYPE => OrderState::Ready,
        OrderCollected::TYPE => OrderState::Collected,
        OrderAbandoned::TYPE => OrderState::Abandoned,
        OrderCancelling::TYPE => OrderState::Cancelling,
        OrderCancelled::TYPE => OrderState::Cancelled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::orders::TYPES;

    use super::*;

    #[test]
    fn every_state_has_an_event_that_brings_it() {
        let brought: Vec<_> = TYPES.iter().filter_map(|kind| state_after(kind)).collect();
        for state in OrderState::ALL {
            assert!(brought.contains(state), "{state}");
        }
    }

    #[test]
    fn a_stream_names_events_without_their_version() {
        assert_eq!(name("order.stock_reserved.v1"), "order.stock_reserved");
    }
}
