//! The next page of a stretch of the log that a subscription delivers once more.

use std::sync::Arc;

use pasar_contracts::api::relay::Ordering;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;

use super::replay_deliveries::schedule;
use crate::{
    filter::{Filter, ParsedData},
    tables::{
        dead_letters, messages,
        replays::{self, Replay},
    },
};

#[derive(Clone, Debug)]
pub(crate) struct ContinueReplay {
    pub(crate) id: SubscriptionId,
    pub(crate) filter: Arc<Filter>,
    pub(crate) ordering: Ordering,
}

/// Messages that one page looks at.
const PAGE: usize = 500;

/// Answers whether there is more.
pub(crate) fn continue_replay(
    ctx: &mut Context<'_>,
    command: &ContinueReplay,
) -> Result<bool, Fault> {
    let Some(replay) = replays::first(ctx, command.id)? else {
        return Ok(false);
    };
    let reached = if replay.dead_letters {
        dead(ctx, command, replay)?
    } else {
        matching(ctx, command, replay)?
    };
    match reached {
        Some(position) if position < replay.upto => replays::advance(ctx, replay.number, position)?,
        _ => replays::delete(ctx, replay.number)?,
    }
    Ok(replays::first(ctx, command.id)?.is_some())
}

/// Answers the position that it reached; `None` at the end.
fn matching(
    ctx: &mut Context<'_>,
    command: &ContinueReplay,
    replay: Replay,
) -> Result<Option<i64>, Fault> {
    let page = messages::after(ctx, replay.after, PAGE)?;
    for message in page
        .iter()
        .filter(|message| message.position <= replay.upto)
    {
        if command.filter.matches(message, &mut ParsedData::default()) {
            let key = message.key.as_deref();
            schedule(ctx, command.id, command.ordering, message.position, key)?;
        }
    }
    Ok(page.last().map(|last| last.position))
}

fn dead(
    ctx: &mut Context<'_>,
    command: &ContinueReplay,
    replay: Replay,
) -> Result<Option<i64>, Fault> {
    let page = dead_letters::after(ctx, command.id, replay.after, replay.upto, PAGE)?;
    for dead in &page {
        match messages::at(ctx, dead.position)? {
            Some(message) => {
                let key = message.key.as_deref();
                schedule(ctx, command.id, command.ordering, dead.position, key)?;
            }
            None => {
                dead_letters::delete(ctx, command.id, dead.position)?;
            }
        }
    }
    Ok(page.last().map(|last| last.position))
}
