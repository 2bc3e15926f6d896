//! Forgetting what is old: messages that everybody is done with, attempts, dead letters. One that is behind
//! holds the log for so long, then it is moved on, and an event says what it missed.

use std::time::Duration;

use pasar_contracts::events::relay::SubscriptionOverrun;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::change;
use crate::tables::{attempts, dead_letters, messages, nudges, progress, shares};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrimLog {
    pub(crate) keep: Duration,
    pub(crate) keep_bytes: i64,
    pub(crate) hold: Duration,
    pub(crate) attempts_keep: Duration,
    pub(crate) dead_letters_keep: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trimmed {
    /// Those that were moved on.
    pub(crate) overrun: Vec<SubscriptionId>,
    pub(crate) more: bool,
}

/// Rows of a kind that one command takes away.
const BATCH: usize = 500;
/// Attempts that are remembered, however young.
const MOST_ATTEMPTS: i64 = 10_000_000;

pub(crate) fn trim_log(ctx: &mut Context<'_>, command: TrimLog) -> Result<Trimmed, Fault> {
    let now = ctx.now();
    let overrun = move_on(ctx, command)?;
    let mut more = overrun.len() == BATCH;
    more |= trim_messages(ctx, command)?;
    more |= messages::trim_orphans(ctx, BATCH)? == BATCH;
    let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
    more |= attempts::trim(ctx, now - command.attempts_keep, MOST_ATTEMPTS, batch)? > 0;
    more |= dead_letters::delete_before(ctx, now - command.dead_letters_keep, BATCH)? > 0;
    Ok(Trimmed { overrun, more })
}

/// Moves those that held the log for too long past what goes now.
fn move_on(ctx: &mut Context<'_>, command: TrimLog) -> Result<Vec<SubscriptionId>, Fault> {
    let oldest = ctx.now() - command.hold.max(command.keep);
    let upto = messages::position_before(ctx, oldest)?;
    let behind = progress::detached_before(ctx, upto, BATCH)?;
    for (id, after) in &behind {
        progress::set_position(ctx, *id, upto)?;
        nudges::nudge(ctx, *id)?;
        let event = SubscriptionOverrun {
            subscription_id: *id,
            after: *after,
            upto,
        };
        change::tell(ctx, *id, &event)?;
    }
    Ok(behind.into_iter().map(|(id, _)| id).collect())
}

/// Answers whether there may be more.
fn trim_messages(ctx: &Context<'_>, command: TrimLog) -> Result<bool, Fault> {
    let ends = messages::ends(ctx)?;
    let mut done = shares::lowest_watermark(ctx)?;
    if let Some(lowest) = progress::lowest_detached(ctx)? {
        done = done.min(lowest);
    }
    let old = messages::position_before(ctx, ctx.now() - command.keep)?;
    let mut over = ends.bytes - command.keep_bytes;
    let page = messages::sizes(ctx, ends.first, done, BATCH)?;
    let (mut first, mut bytes) = (ends.first, 0);
    let mut taken = 0;
    for message in &page {
        if message.position > old && over <= 0 {
            break;
        }
        first = message.position + 1;
        taken += 1;
        if !message.named {
            messages::delete(ctx, message.position)?;
            bytes += message.bytes;
            over -= message.bytes;
        }
    }
    if first > ends.first {
        messages::move_first(ctx, first, bytes)?;
    }
    Ok(taken == BATCH)
}
