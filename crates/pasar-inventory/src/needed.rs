//! What a new follower needs of inventory's feed: products, locations and stock as they are now, and reservations
//! that are open.

use std::sync::Arc;

use pasar_contracts::{
    event::Event,
    events::inventory::{
        LocationChanged, ProductChanged, StockAdjusted, StockReceived, StockReleased,
        StockReturned, StockSold,
    },
};
use pasar_store::{feed::FeedEvent, snapshot};

/// See [`pasar_store::snapshot::Needed`].
pub fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    match &*event.event_type {
        // Each tells all that there is to tell.
        ProductChanged::TYPE
        | LocationChanged::TYPE
        | StockReceived::TYPE
        | StockAdjusted::TYPE => snapshot::newest(needed, event),
        // Nothing is held for the order any more.
        StockSold::TYPE | StockReleased::TYPE | StockReturned::TYPE => needed.clear(),
        _ => needed.push(event),
    }
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::inventory::{StockExpired, StockRefused, StockReserved};
    use pasar_testkit::needed::{left, plain};

    use super::*;

    #[test]
    fn of_what_changes_the_newest_is_needed() {
        let changed = plain(&[ProductChanged::TYPE, ProductChanged::TYPE]);
        assert_eq!(left(needed, &changed), [2]);
        let counted = plain(&[
            StockReceived::TYPE,
            StockReceived::TYPE,
            StockAdjusted::TYPE,
        ]);
        assert_eq!(left(needed, &counted), [3]);
    }

    #[test]
    fn a_reservation_is_needed_until_nothing_is_held_for_its_order() {
        let lapsed = [StockReserved::TYPE, StockExpired::TYPE];
        assert_eq!(left(needed, &plain(&lapsed)), [1, 2]);
        assert_eq!(left(needed, &plain(&[StockRefused::TYPE])), [1]);
        for end in [StockReleased::TYPE, StockSold::TYPE] {
            assert!(left(needed, &plain(&[StockReserved::TYPE, end])).is_empty());
        }
        let returned = [StockReserved::TYPE, StockSold::TYPE, StockReturned::TYPE];
        assert!(left(needed, &plain(&returned)).is_empty());
    }
}
