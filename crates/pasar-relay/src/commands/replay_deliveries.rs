//! Delivering once more what was delivered, failed, or came before the subscription.

use pasar_contracts::api::relay::ReplayInput;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use crate::{
    subscription::Stored,
    tables::{dead_letters, messages, replays, retries, subscriptions},
};
use pasar_contracts::api::relay::Ordering;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayDeliveries {
    pub id: SubscriptionId,
    pub what: ReplayInput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many are due now; a stretch of the log is worked off in the background.
    Scheduled(u64),
    NotFound,
    /// More positions than [`MAX_POSITIONS`].
    TooManyPositions,
    /// [`MAX_REPLAYS`] stretches are being worked off already.
    TooManyReplays,
    /// This position is not in the log, or no longer.
    Unknown(i64),
}

/// Positions that one call names.
pub const MAX_POSITIONS: usize = 1_000;
/// Stretches that a subscription works off, one after the other.
pub const MAX_REPLAYS: i64 = 16;

/// Positions are delivered whether they match or not; of a stretch, what matches.
pub fn replay_deliveries(
    ctx: &mut Context<'_>,
    command: &ReplayDeliveries,
) -> Result<Outcome, Fault> {
    let Some(stored) = subscriptions::find(ctx, command.id)? else {
        return Ok(Outcome::NotFound);
    };
    let head = messages::ends(ctx)?.head;
    match &command.what {
        ReplayInput::Positions(positions) => replay_positions(ctx, &stored, positions),
        ReplayInput::Range { after, upto } => stretch(
            ctx,
            stored.id,
            *after,
            upto.unwrap_or(head).min(head),
            false,
        ),
        ReplayInput::Since(time) => {
            let after = messages::position_before(ctx, *time)?;
            stretch(ctx, stored.id, after, head, false)
        }
        ReplayInput::DeadLetters(true) => {
            let waiting = dead_letters::count(ctx, stored.id)?;
            match stretch(ctx, stored.id, 0, head, true)? {
                Outcome::Scheduled(_) => {
                    Ok(Outcome::Scheduled(u64::try_from(waiting).unwrap_or(0)))
                }
                refused => Ok(refused),
            }
        }
        ReplayInput::DeadLetters(false) => Ok(Outcome::Scheduled(0)),
    }
}

fn replay_positions(
    ctx: &mut Context<'_>,
    stored: &Stored,
    positions: &[i64],
) -> Result<Outcome, Fault> {
    if positions.len() > MAX_POSITIONS {
        return Ok(Outcome::TooManyPositions);
    }
    let mut keys = Vec::with_capacity(positions.len());
    for position in positions {
        match messages::at(ctx, *position)? {
            Some(message) => keys.push((*position, message.key.clone())),
            None => return Ok(Outcome::Unknown(*position)),
        }
    }
    keys.sort();
    keys.dedup();
    let scheduled = keys.len() as u64;
    for (position, key) in keys {
        schedule(
            ctx,
            stored.id,
            stored.input.ordering,
            position,
            key.as_deref(),
        )?;
    }
    Ok(Outcome::Scheduled(scheduled))
}

fn stretch(
    ctx: &mut Context<'_>,
    id: SubscriptionId,
    after: i64,
    upto: i64,
    dead_letters: bool,
) -> Result<Outcome, Fault> {
    if replays::count(ctx, id)? >= MAX_REPLAYS {
        return Ok(Outcome::TooManyReplays);
    }
    if after < upto {
        replays::insert(ctx, id, after.max(0), upto, dead_letters)?;
    }
    Ok(Outcome::Scheduled(0))
}

/// Makes one delivery due now, behind earlier ones of its key where that order is kept.
pub(crate) fn schedule(
    ctx: &mut Context<'_>,
    id: SubscriptionId,
    ordering: Ordering,
    position: i64,
    key: Option<&str>,
) -> Result<(), Fault> {
    let now = ctx.now();
    let key = key.filter(|_| ordering == Ordering::Key);
    let held = match key {
        Some(key) => retries::key_waits(ctx, id, key, position)?,
        None => false,
    };
    dead_letters::delete(ctx, id, position)?;
    retries::ask(ctx, id, position, key, held, now)
}
