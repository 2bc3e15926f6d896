//! What a new follower needs of payments' feed: payments whose money is neither taken nor let go.

use std::sync::Arc;

use pasar_contracts::{
    event::Event,
    events::payments::{PaymentCaptured, PaymentRefundFailed, PaymentRefunded, PaymentVoided},
};
use pasar_store::feed::FeedEvent;

/// See [`pasar_store::snapshot::Needed`].
pub fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    match &*event.event_type {
        PaymentCaptured::TYPE
        | PaymentVoided::TYPE
        | PaymentRefunded::TYPE
        | PaymentRefundFailed::TYPE => needed.clear(),
        _ => needed.push(event),
    }
}

#[cfg(test)]
mod tests {
    use pasar_contracts::events::payments::{
        PaymentAuthorized, PaymentDeclined, PaymentDue, PaymentInitiated,
    };
    use pasar_testkit::needed::{left, plain};

    use super::*;

    #[test]
    fn a_payment_is_needed_until_its_money_is_taken_or_let_go() {
        let open = [PaymentInitiated::TYPE, PaymentAuthorized::TYPE];
        assert_eq!(left(needed, &plain(&open)), [1, 2]);
        assert_eq!(left(needed, &plain(&[PaymentDue::TYPE])), [1]);
        assert_eq!(
            left(needed, &plain(&[open[0], PaymentDeclined::TYPE])),
            [1, 2]
        );
        for end in [PaymentCaptured::TYPE, PaymentVoided::TYPE] {
            assert!(left(needed, &plain(&[open[0], open[1], end])).is_empty());
        }
        let refunded = [open[0], PaymentCaptured::TYPE, PaymentRefunded::TYPE];
        assert!(left(needed, &plain(&refunded)).is_empty());
    }
}
