//! An owner stops deliveries for a while. What comes meanwhile is kept and delivered later.

use pasar_contracts::{api::relay::SubscriptionState, events::relay::SubscriptionPaused};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::change::{self, Outcome};
use crate::tables::{progress, subscriptions};

/// One that is disabled becomes paused: its owner has seen it.
pub fn pause_subscription(ctx: &mut Context<'_>, id: SubscriptionId) -> Result<Outcome, Fault> {
    let Some(mut stored) = subscriptions::find(ctx, id)? else {
        return Ok(Outcome::NotFound);
    };
    if stored.state == SubscriptionState::Paused {
        return Ok(Outcome::Same(stored));
    }
    stored.state = SubscriptionState::Paused;
    stored.disabled_because = None;
    progress::detach(ctx, id)?;
    let event = SubscriptionPaused {
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
        tables::shares,
        testing::{Bench, input},
    };

    #[test]
    fn a_paused_subscription_keeps_the_place_that_the_watermark_gave_it() {
        let bench = Bench::new();
        bench.create(input(json!({"kind": "probe", "to": "a"})));
        let id = bench.only().id;
        bench.given(move |ctx| {
            let attached = progress::Progress {
                position: 0,
                attached: true,
                share: 0,
                failing_since: None,
            };
            progress::update(ctx, id, &attached)?;
            shares::raise_watermark(ctx, 0, 7)
        });
        let checked = bench.check(move |ctx| {
            pause_subscription(ctx, id).map(|outcome| matches!(outcome, Outcome::Done(_)))
        });
        assert_eq!(checked.events[0].event_type, "subscription.paused.v1");
        let place = bench.progress(id);
        assert_eq!((place.position, place.attached), (7, false));
        let again = bench.given(move |ctx| pause_subscription(ctx, id));
        assert!(matches!(again, Outcome::Same(_)));
    }
}
