//! Waiting for what happens to an order, woken by the service's own feed. Nothing is polled.

use std::time::Duration;

use pasar_chassis::host::Host;
use pasar_contracts::{
    api::payments::PaymentState,
    event::Event,
    events::orders::{OrderActionRequired, OrderCancelled, OrderConfirmed},
};
use pasar_feed::tail::Watch;
use pasar_store::feed::FeedEvent;
use pasar_types::time::Timestamp;

use crate::order::Order;

/// Resolves once the clock has reached a time.
pub(crate) async fn until(host: &Host, due: Timestamp) {
    while host.clock.now() < due {
        host.sleeper.sleep_until(due).await;
    }
}

/// Waits for an event that is enough; at most so long, and not into a drain.
pub(crate) async fn for_event(
    host: &Host,
    watch: &mut Watch,
    longest: Duration,
    enough: impl Fn(&FeedEvent) -> bool,
) {
    let due = host.clock.now() + longest;
    let heard = async {
        loop {
            let changes = watch.changed().await;
            if changes.missed || changes.events.iter().any(|event| enough(event)) {
                return;
            }
        }
    };
    tokio::select! {
        () = heard => {}
        () = until(host, due) => {}
        () = host.tasks.draining() => {}
    }
}

/// Whether an order is what somebody waits for: settled, or in need of the customer.
pub(crate) fn is_awaited(order: &Order) -> bool {
    order.stage.is_settled() || order.payment == PaymentState::RequiresAction
}

/// Whether an event can make an order that.
pub(crate) fn may_be_awaited(event: &FeedEvent) -> bool {
    matches!(
        event.event_type.as_str(),
        OrderConfirmed::TYPE | OrderCancelled::TYPE | OrderActionRequired::TYPE
    )
}
