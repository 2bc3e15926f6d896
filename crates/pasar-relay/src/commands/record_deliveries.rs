//! What became of deliveries: recorded before anything counts as done.

use std::{sync::Arc, time::Duration};

use pasar_contracts::{
    api::relay::{DisableReason, Ordering, SubscriptionState},
    event::Service,
    events::relay::MessageDeadLettered,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::SubscriptionId, time::Timestamp};

use super::{change, disable_subscription::disable_subscription};
use crate::{
    message::Message,
    tables::{
        attempts::{self, Tried},
        dead_letters::{self, Dead},
        progress,
        retries::{self, Retry},
        shares, subscriptions,
    },
};

/// All that one subscription's courier finished meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct RecordDeliveries {
    pub(crate) id: SubscriptionId,
    pub(crate) ordering: Ordering,
    /// Everything up to here is resolved once this is recorded.
    pub(crate) position: i64,
    /// It shall share the watermark from now on; false gives it a place of its own.
    pub(crate) attach: bool,
    pub(crate) items: Vec<Item>,
    /// Failing for so long without one success disables it.
    pub(crate) disable_after: Duration,
}

/// One message, tried or not.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) message: Arc<Message>,
    /// It stands in `retry`.
    pub(crate) from_retry: bool,
    /// How often a replay had asked for it when it was read from there.
    pub(crate) asked: i64,
    pub(crate) tried: Option<Tried>,
    /// When it first failed, or now.
    pub(crate) since: Timestamp,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    Retry {
        due: Timestamp,
    },
    /// It was tried for as long as the policy says, or will never be taken.
    Dead,
    /// The destination is gone: this message is tried again if somebody resumes the subscription.
    Gone,
    /// It waits behind another of its key.
    Held,
    /// It is still in flight and keeps the position back: it moves to `retry`, so that a restart repeats it alone.
    Aside,
}

/// What stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Whether the subscription still delivers. Nothing was recorded if it was deleted.
    pub(crate) active: bool,
    pub(crate) attached: bool,
    /// What was added to `retry`, taken away or let go.
    pub(crate) rows: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Only where ordered by key.
    pub(crate) key: Option<Box<str>>,
    pub(crate) rows: i64,
    /// When it is due, if it is not held.
    pub(crate) due: Option<Timestamp>,
}

pub(crate) fn record_deliveries(
    ctx: &mut Context<'_>,
    command: &RecordDeliveries,
) -> Result<Recorded, Fault> {
    let id = command.id;
    let (Some(state), Some(mut place)) = (subscriptions::state(ctx, id)?, progress::find(ctx, id)?)
    else {
        return Ok(Recorded::default());
    };
    let mut rows = Vec::new();
    let flow = ctx.cause().flow;
    for item in &command.items {
        record(ctx, command, item, &mut rows)?;
    }
    ctx.join_flow(flow);
    let active = state == SubscriptionState::Active;
    let watermark = shares::watermark(ctx, place.share)?;
    place.position = place.true_position(watermark).max(command.position);
    // One that is attached says that it is done up to the watermark, so it joins only once it is.
    place.attached = command.attach && active && (place.attached || place.position >= watermark);
    place.failing_since = failing_since(place.failing_since, &command.items, ctx.now());
    progress::update(ctx, id, &place)?;
    let mut recorded = Recorded {
        active,
        attached: place.attached,
        rows,
    };
    if let Some(reason) = reason_to_disable(command, place.failing_since, ctx.now()) {
        disable_subscription(ctx, id, reason)?;
        recorded.active = false;
        recorded.attached = false;
    }
    Ok(recorded)
}

fn record(
    ctx: &mut Context<'_>,
    command: &RecordDeliveries,
    item: &Item,
    rows: &mut Vec<Change>,
) -> Result<(), Fault> {
    let id = command.id;
    if let Some(tried) = &item.tried {
        attempts::insert(ctx, id, tried)?;
    }
    let key = item
        .message
        .key
        .as_deref()
        .filter(|_| command.ordering == Ordering::Key);
    match item.verdict {
        Verdict::Delivered => done(ctx, id, item, key, rows).map(drop),
        Verdict::Dead => {
            if done(ctx, id, item, key, rows)? {
                bury(ctx, id, item)?;
            }
            Ok(())
        }
        Verdict::Retry { due } => wait(ctx, id, item, key, Some(due), rows),
        Verdict::Gone | Verdict::Aside => {
            let now = ctx.now();
            wait(ctx, id, item, key, Some(now), rows)
        }
        Verdict::Held => wait(ctx, id, item, key, None, rows),
    }
}

/// It is resolved for good: whoever waited behind it goes on. False if a replay has asked for it meanwhile.
fn done(
    ctx: &Context<'_>,
    id: SubscriptionId,
    item: &Item,
    key: Option<&str>,
    rows: &mut Vec<Change>,
) -> Result<bool, Fault> {
    let position = item.message.position;
    if !item.from_retry {
        let dead = item.verdict == Verdict::Dead;
        return Ok(!dead || retries::held(ctx, id, position)?.is_none());
    }
    if !retries::delete(ctx, id, position, item.asked)? {
        return asked_again(ctx, id, position, key, rows).map(|asked| !asked);
    }
    let mut change = Change {
        key: key.map(Into::into),
        rows: -1,
        due: None,
    };
    if let Some(key) = key
        && retries::release(ctx, id, key, ctx.now())?
    {
        change.due = Some(ctx.now());
    }
    rows.push(change);
    Ok(true)
}

/// A replay asked for a delivery while it was under way: what came of that says nothing about the next one.
/// False if nobody did.
fn asked_again(
    ctx: &Context<'_>,
    id: SubscriptionId,
    position: i64,
    key: Option<&str>,
    rows: &mut Vec<Change>,
) -> Result<bool, Fault> {
    let Some(held) = retries::held(ctx, id, position)? else {
        return Ok(false);
    };
    // Whatever it waits behind may have waited for the one that has just ended.
    let due = match key {
        Some(key) if held => retries::release(ctx, id, key, ctx.now())?,
        _ => !held,
    };
    rows.push(Change {
        key: key.map(Into::into),
        rows: 0,
        due: due.then_some(ctx.now()),
    });
    Ok(true)
}

/// It waits in `retry`, until `due` or until the one of its key before it is done.
fn wait(
    ctx: &Context<'_>,
    id: SubscriptionId,
    item: &Item,
    key: Option<&str>,
    due: Option<Timestamp>,
    rows: &mut Vec<Change>,
) -> Result<(), Fault> {
    let position = item.message.position;
    // The one that it was to wait for may be done by now.
    let held = match (due, key) {
        (None, Some(key)) => retries::key_waits(ctx, id, key, position)?,
        _ => false,
    };
    let due = due.unwrap_or(ctx.now());
    let tried = item.tried.as_ref();
    let retry = Retry {
        position,
        key: key.map(Into::into),
        attempts: tried.map_or(0, |tried| tried.attempt),
        due,
        held,
        since: item.since,
        last_error: tried.and_then(|tried| tried.detail.clone()),
        asked: item.asked,
    };
    let updated = item.from_retry && retries::update(ctx, id, &retry)?;
    let added = !updated && retries::insert(ctx, id, &retry)?;
    if !updated && !added {
        return asked_again(ctx, id, position, key, rows).map(drop);
    }
    rows.push(Change {
        key: retry.key,
        rows: i64::from(added),
        due: (!held).then_some(due),
    });
    Ok(())
}

fn bury(ctx: &mut Context<'_>, id: SubscriptionId, item: &Item) -> Result<(), Fault> {
    let message = &item.message;
    let tried = item.tried.as_ref();
    let attempts = tried.map_or(0, |tried| tried.attempt);
    let detail = tried.and_then(|tried| tried.detail.clone());
    let dead = Dead {
        subscription: id,
        position: message.position,
        attempts,
        last_error: detail.unwrap_or_else(|| "no answer".to_owned()),
        since: ctx.now(),
    };
    dead_letters::put(ctx, &dead)?;
    // Telling of what the relay told would never end.
    if *message.topic == *Service::Relay.as_str() {
        return Ok(());
    }
    ctx.join_flow(message.flow);
    let event = MessageDeadLettered {
        subscription_id: id,
        topic: message.topic.to_string(),
        message_id: message.id.to_string(),
        position: message.position,
        attempts,
    };
    change::tell(ctx, id, &event)
}

/// One success ends it. A message that would never be taken says nothing about the destination.
fn failing_since(before: Option<Timestamp>, items: &[Item], now: Timestamp) -> Option<Timestamp> {
    let any = |wanted: fn(&Verdict) -> bool| items.iter().any(|item| wanted(&item.verdict));
    if any(|verdict| *verdict == Verdict::Delivered) {
        None
    } else if any(|verdict| matches!(verdict, Verdict::Retry { .. } | Verdict::Gone)) {
        before.or(Some(now))
    } else {
        before
    }
}

fn reason_to_disable(
    command: &RecordDeliveries,
    failing_since: Option<Timestamp>,
    now: Timestamp,
) -> Option<DisableReason> {
    if command
        .items
        .iter()
        .any(|item| item.verdict == Verdict::Gone)
    {
        return Some(DisableReason::Gone);
    }
    failing_since
        .is_some_and(|since| now.since(since) >= command.disable_after)
        .then_some(DisableReason::Failing)
}

#[cfg(test)]
mod tests;
