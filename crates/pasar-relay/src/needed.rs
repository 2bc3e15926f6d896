//! What a new follower needs of the relay's own feed: which subscriptions there are, and whether they deliver.

use std::sync::Arc;

use pasar_contracts::{
    event::Event,
    events::relay::{
        MessageDeadLettered, SubscriptionChanged, SubscriptionDeleted, SubscriptionDisabled,
        SubscriptionOverrun, SubscriptionPaused, SubscriptionResumed,
    },
};
use pasar_store::feed::FeedEvent;

/// See [`pasar_store::snapshot::Needed`].
pub fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    let newest: &[&str] = match &*event.event_type {
        SubscriptionDeleted::TYPE => return needed.clear(),
        // They happened, and leave nothing that stands.
        SubscriptionOverrun::TYPE | MessageDeadLettered::TYPE => return,
        SubscriptionChanged::TYPE => &[SubscriptionChanged::TYPE],
        SubscriptionPaused::TYPE | SubscriptionResumed::TYPE | SubscriptionDisabled::TYPE => &[
            SubscriptionPaused::TYPE,
            SubscriptionResumed::TYPE,
            SubscriptionDisabled::TYPE,
        ],
        _ => &[],
    };
    needed.retain(|before| !newest.contains(&&*before.event_type));
    needed.push(event);
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::relay::SubscriptionCreated;
    use pasar_testkit::needed::{left, plain};

    use super::*;

    #[test]
    fn a_subscription_is_needed_as_it_stands_until_it_is_deleted() {
        let stands = [
            SubscriptionCreated::TYPE,
            SubscriptionChanged::TYPE,
            SubscriptionPaused::TYPE,
            MessageDeadLettered::TYPE,
            SubscriptionResumed::TYPE,
            SubscriptionChanged::TYPE,
        ];
        assert_eq!(left(needed, &plain(&stands)), [1, 5, 6]);
        let deleted = [&stands[..], &[SubscriptionDeleted::TYPE]].concat();
        assert!(left(needed, &plain(&deleted)).is_empty());
    }
}
