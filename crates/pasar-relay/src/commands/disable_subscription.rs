//! The relay gives up on a destination until somebody resumes the subscription. Nothing is lost meanwhile.

use pasar_contracts::{
    api::relay::{DisableReason, SubscriptionState},
    events::relay::SubscriptionDisabled,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::change::{self, Outcome};
use crate::tables::{progress, subscriptions};

/// One that its owner paused stays paused.
pub fn disable_subscription(
    ctx: &mut Context<'_>,
    id: SubscriptionId,
    reason: DisableReason,
) -> Result<Outcome, Fault> {
    let Some(mut stored) = subscriptions::find(ctx, id)? else {
        return Ok(Outcome::NotFound);
    };
    if stored.state != SubscriptionState::Active {
        return Ok(Outcome::Same(stored));
    }
    stored.state = SubscriptionState::Disabled;
    stored.disabled_because = Some(reason);
    progress::detach(ctx, id)?;
    let event = SubscriptionDisabled {
        subscription_id: id,
        reason,
    };
    change::store(ctx, &mut stored, &event)?;
    Ok(Outcome::Done(stored))
}
