//! Somebody decides that dead letters need not be delivered any more.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use crate::tables::{dead_letters, subscriptions};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscardDeadLetters {
    pub id: SubscriptionId,
    /// These, or all of the subscription.
    pub positions: Option<Vec<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Discarded(u64),
    NotFound,
}

pub fn discard_dead_letters(
    ctx: &mut Context<'_>,
    command: &DiscardDeadLetters,
) -> Result<Outcome, Fault> {
    if subscriptions::state(ctx, command.id)?.is_none() {
        return Ok(Outcome::NotFound);
    }
    let Some(positions) = &command.positions else {
        return dead_letters::delete_all(ctx, command.id).map(Outcome::Discarded);
    };
    let mut discarded = 0;
    for position in positions {
        discarded += u64::from(dead_letters::delete(ctx, command.id, *position)?);
    }
    Ok(Outcome::Discarded(discarded))
}
