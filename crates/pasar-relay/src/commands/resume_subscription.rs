//! An owner lets deliveries go on, after a pause or after the relay gave up.

use pasar_contracts::{api::relay::SubscriptionState, events::relay::SubscriptionResumed};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::change::{self, Outcome};
use crate::tables::{progress, retries, subscriptions};

/// What waits is due at once and its attempts are counted anew, as its owner says that it works now.
pub fn resume_subscription(ctx: &mut Context<'_>, id: SubscriptionId) -> Result<Outcome, Fault> {
    let Some(mut stored) = subscriptions::find(ctx, id)? else {
        return Ok(Outcome::NotFound);
    };
    if stored.state == SubscriptionState::Active {
        return Ok(Outcome::Same(stored));
    }
    stored.state = SubscriptionState::Active;
    stored.disabled_because = None;
    retries::restart(ctx, id, ctx.now())?;
    if let Some(mut place) = progress::find(ctx, id)? {
        place.failing_since = None;
        progress::update(ctx, id, &place)?;
    }
    let event = SubscriptionResumed {
        subscription_id: id,
    };
    change::store(ctx, &mut stored, &event)?;
    Ok(Outcome::Done(stored))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        commands::disable_subscription::disable_subscription,
        testing::{Bench, input},
    };

    #[test]
    fn a_disabled_subscription_can_be_resumed_and_says_no_reason_any_more() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a"})));
        let id = bench.only().id;
        let reason = pasar_contracts::api::relay::DisableReason::Gone;
        bench.given(move |ctx| disable_subscription(ctx, id, reason));
        assert_eq!(bench.only().disabled_because, Some(reason));
        bench.given(move |ctx| resume_subscription(ctx, id));
        let stored = bench.only();
        assert_eq!(
            (stored.state, stored.disabled_because),
            (SubscriptionState::Active, None)
        );
        let types: Vec<_> = bench
            .events()
            .iter()
            .map(|event| event.event_type.clone())
            .collect();
        assert_eq!(
            types,
            [
                "subscription.created.v1",
                "subscription.disabled.v1",
                "subscription.resumed.v1"
            ]
        );
    }
}
