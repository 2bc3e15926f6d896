//! What a new follower needs of an order's events: all of them while somebody has to answer, nothing once it has come
//! to its end and nobody has.

use std::sync::Arc;

use pasar_contracts::{
    event::Event,
    events::orders::{
        OrderAbandoned, OrderCancelled, OrderCollected, OrderConfirmed, OrderPaymentCaptured,
        OrderPaymentVoided, OrderRefundFailed, OrderRefundRequested, OrderRefunded, OrderStockSold,
    },
};
use pasar_store::feed::FeedEvent;

/// See [`pasar_store::snapshot::Needed`].
pub fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    needed.push(event);
    if has_ended(needed) {
        needed.clear();
    }
}

/// Its goods are sold or back, its money is taken or back, and no refund is open. What comes after that is a refund,
/// which stands for itself.
fn has_ended(events: &[Arc<FeedEvent>]) -> bool {
    let told = |event_type: &str| events.iter().any(|event| event.event_type == event_type);
    if told(OrderCancelled::TYPE) {
        // Inventory and payments have answered.
        return true;
    }
    if is_refunding(events) {
        return false;
    }
    let begins_after_its_end = events.first().is_some_and(|first| {
        matches!(
            &*first.event_type,
            OrderRefundRequested::TYPE | OrderRefunded::TYPE | OrderRefundFailed::TYPE
        )
    });
    let collected = told(OrderCollected::TYPE) && told(OrderStockSold::TYPE);
    let abandoned = told(OrderAbandoned::TYPE)
        && told(OrderStockSold::TYPE)
        && (told(OrderPaymentVoided::TYPE)
            || told(OrderPaymentCaptured::TYPE)
            || events.iter().any(confirmed_as_paid));
    begins_after_its_end || collected || abandoned
}

fn is_refunding(events: &[Arc<FeedEvent>]) -> bool {
    let count = |types: &[&str]| {
        let told = events.iter();
        told.filter(|event| types.contains(&&*event.event_type))
            .count()
    };
    count(&[OrderRefundRequested::TYPE]) > count(&[OrderRefunded::TYPE, OrderRefundFailed::TYPE])
}

fn confirmed_as_paid(event: &Arc<FeedEvent>) -> bool {
    event.event_type == OrderConfirmed::TYPE
        && event
            .decode::<OrderConfirmed>()
            .is_ok_and(|confirmed| confirmed.paid)
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::orders::{
        OrderCancelling, OrderPlaced, OrderPreparing, OrderReady, OrderSecured, OrderStockReleased,
        OrderStockReserved,
    };
    use pasar_testkit::needed::{left, plain};
    use serde_json::json;

    use super::*;

    const HELD: [&str; 3] = [
        OrderPlaced::TYPE,
        OrderStockReserved::TYPE,
        OrderSecured::TYPE,
    ];

    fn confirmed(paid: bool) -> (&'static str, serde_json::Value) {
        let order = "ord_00000000000000000000000001";
        let location = "loc_00000000000000000000000001";
        let data = json!({"order_id": order, "location_id": location, "number": 1, "paid": paid});
        (OrderConfirmed::TYPE, data)
    }

    fn told(types: &[&'static str], paid: bool, more: &[&'static str]) -> Vec<i64> {
        let mut events = plain(types);
        events.push(confirmed(paid));
        events.extend(plain(more));
        left(needed, &events)
    }

    #[test]
    fn an_order_is_needed_whole_until_it_has_ended_and_its_goods_are_sold() {
        assert_eq!(left(needed, &plain(&HELD)), [1, 2, 3]);
        let made = [OrderPreparing::TYPE, OrderReady::TYPE, OrderCollected::TYPE];
        assert_eq!(told(&HELD, true, &made), [1, 2, 3, 4, 5, 6, 7]);
        let sold = [&made[..], &[OrderStockSold::TYPE]].concat();
        assert!(told(&HELD, true, &sold).is_empty());
    }

    #[test]
    fn a_cancelled_order_is_needed_until_both_have_answered() {
        let cancelling = [
            &HELD[..],
            &[OrderCancelling::TYPE, OrderStockReleased::TYPE],
        ]
        .concat();
        assert_eq!(left(needed, &plain(&cancelling)).len(), 5);
        let cancelled = [&cancelling[..], &[OrderCancelled::TYPE]].concat();
        assert!(left(needed, &plain(&cancelled)).is_empty());
        // What payments tells of it later says nothing to whoever is new.
        let late = [&cancelled[..], &[OrderRefunded::TYPE]].concat();
        assert!(left(needed, &plain(&late)).is_empty());
    }

    #[test]
    fn an_abandoned_order_is_needed_until_what_is_due_is_voided() {
        let left_there = [OrderStockSold::TYPE, OrderReady::TYPE, OrderAbandoned::TYPE];
        assert_eq!(told(&HELD, false, &left_there).len(), 7);
        let voided = [&left_there[..], &[OrderPaymentVoided::TYPE]].concat();
        assert!(told(&HELD, false, &voided).is_empty());
        assert!(told(&HELD, true, &left_there).is_empty(), "it was paid");
    }

    #[test]
    fn a_refund_is_needed_until_it_has_ended_even_of_an_order_that_is_gone() {
        let ended = [OrderStockSold::TYPE, OrderReady::TYPE, OrderCollected::TYPE];
        let asked = [&[OrderRefundRequested::TYPE], &ended[..]].concat();
        assert_eq!(told(&HELD, true, &asked).len(), 8);
        let refunded = [&asked[..], &[OrderRefunded::TYPE]].concat();
        assert!(told(&HELD, true, &refunded).is_empty());
        let again = [&refunded[..], &[OrderRefundRequested::TYPE]].concat();
        assert_eq!(told(&HELD, true, &again), [10]);
        let failed = [&again[..], &[OrderRefundFailed::TYPE, OrderRefunded::TYPE]].concat();
        assert!(told(&HELD, true, &failed).is_empty());
    }
}
