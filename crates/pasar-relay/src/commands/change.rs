//! What the commands that change a subscription share: their outcome, and storing with one event.

use pasar_contracts::event::Event;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use crate::{
    subscription::Stored,
    tables::{nudges, subscriptions},
};

/// What became of a subscription that is asked to be in some state.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done(Stored),
    /// It was so before.
    Same(Stored),
    NotFound,
}

/// Stores a change and tells it.
pub(crate) fn store<E: Event>(
    ctx: &mut Context<'_>,
    stored: &mut Stored,
    event: &E,
) -> Result<(), Fault> {
    stored.version += 1;
    stored.keyversion += 1;
    subscriptions::update(ctx, stored)?;
    nudges::nudge(ctx, stored.id)?;
    ctx.emit(&stored.id.to_string(), stored.keyversion, event)
}

/// Tells something about a subscription that changes no row of it.
pub(crate) fn tell<E: Event>(
    ctx: &mut Context<'_>,
    id: SubscriptionId,
    event: &E,
) -> Result<(), Fault> {
    let keyversion = subscriptions::next_keyversion(ctx, id)?;
    ctx.emit(&id.to_string(), keyversion, event)
}
