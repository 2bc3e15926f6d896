//! Taking another service's events: the position moves in the transaction of what they cause, which is
//! the fence; an event that cannot be taken parks its key, so that others go on.

use std::sync::Arc;

use pasar_contracts::event::Service;
use pasar_types::id::EpochId;

use crate::{
    context::Context,
    crash::{self, CrashPoint},
    fault::Fault,
    feed::FeedEvent,
    tx::Tx,
};

/// Turns a foreign event into the service's own command.
pub trait React: Send + Sync {
    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault>;

    /// Takes a whole stretch, oldest first. For those that write many events at less cost than one by one;
    /// after a fault the events are handed to [`React::react`] instead.
    fn react_all(
        &self,
        context: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        one_by_one(context, publisher, events, |context, event| {
            self.react(context, event)
        })
    }
}

/// A stretch of a feed for one lane: everything after `from` up to and with `upto` that concerns it.
#[derive(Clone, Debug)]
pub struct Batch {
    pub publisher: Service,
    pub epoch: EpochId,
    pub lane: u32,
    pub from: i64,
    pub upto: i64,
    pub events: Vec<Arc<FeedEvent>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The position moved; so many of the events were parked.
    Moved { parked: usize },
    /// The position was not where the batch began: another reader was first.
    Fenced,
}

/// How far a lane has followed a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: EpochId,
    pub sequence: i64,
}

/// How far all lanes are when following begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// By lane.
    pub positions: Vec<Position>,
    /// The snapshot as of this place stands for the feed up to it; 0 for none.
    pub snapshot: i64,
}

/// Parked events that one database holds at most. Beyond them the follower stops.
const MOST_PARKED: i64 = 10_000;
const RETRIED_AT_ONCE: i64 = 1_000;

pub(crate) fn position(
    tx: &Tx<'_>,
    publisher: Service,
    lane: u32,
) -> Result<Option<Position>, Fault> {
    tx.query_opt(
        "SELECT epoch, sequence FROM follower_position WHERE publisher = ?1 AND lane = ?2",
        &[&publisher, &lane],
        |row| {
            Ok(Position {
                epoch: row.get(0)?,
                sequence: row.get(1)?,
            })
        },
    )
}

/// The place that all of so many lanes have reached.
pub(crate) fn stored(tx: &Tx<'_>, publisher: Service, lanes: u32) -> Result<Option<i64>, Fault> {
    let (known, lowest) = tx.query_one(
        "SELECT COUNT(*), MIN(sequence) FROM follower_position WHERE publisher = ?1",
        &[&publisher],
        |row| Ok((row.get::<i64>(0)?, row.get::<Option<i64>>(1)?)),
    )?;
    Ok(lowest.filter(|_| known >= i64::from(lanes)))
}

/// The place up to which all lanes that follow a publisher know what there was, be it by a snapshot that they are
/// still reading; `None` before the first has begun.
pub(crate) fn reached(tx: &Tx<'_>, publisher: Service) -> Result<Option<i64>, Fault> {
    tx.query_one(
        "SELECT MIN(CASE WHEN sequence < snapshot THEN snapshot ELSE sequence END)
         FROM follower_position WHERE publisher = ?1",
        &[&publisher],
        |row| row.get(0),
    )
}

/// Begins in the lanes that have not begun. If none has taken anything yet, all of them begin with the snapshot as of
/// a place: had some of them gone further by the feed itself, it would leave out what ended for those.
pub(crate) fn begin(
    tx: &Tx<'_>,
    publisher: Service,
    lanes: u32,
    epoch: EpochId,
    snapshot: Option<i64>,
) -> Result<(), Fault> {
    let begun = tx.query_opt(
        "SELECT 1 FROM follower_position WHERE publisher = ?1 AND (sequence > 0 OR snapshot > 0) LIMIT 1",
        &[&publisher],
        |row| row.get::<i64>(0),
    )?;
    for lane in 0..lanes {
        tx.execute(
            "INSERT INTO follower_position (publisher, lane, epoch, sequence) VALUES (?1, ?2, ?3, 0)
             ON CONFLICT (publisher, lane) DO NOTHING",
            &[&publisher, &lane, &epoch],
        )?;
    }
    if let (Some(snapshot), None) = (snapshot, begun) {
        tx.execute(
            "UPDATE follower_position SET epoch = ?2, snapshot = ?3 WHERE publisher = ?1",
            &[&publisher, &epoch, &snapshot],
        )?;
    }
    Ok(())
}

/// The snapshot that a publisher was begun with; 0 for none.
pub(crate) fn snapshot(tx: &Tx<'_>, publisher: Service) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COALESCE(MAX(snapshot), 0) FROM follower_position WHERE publisher = ?1",
        &[&publisher],
        |row| row.get(0),
    )
}

/// Reacts to each event of a stretch in turn, for its own cause.
pub fn one_by_one(
    context: &mut Context<'_>,
    publisher: Service,
    events: &[Arc<FeedEvent>],
    mut react: impl FnMut(&mut Context<'_>, &FeedEvent) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for event in events {
        context.enter(event.cause(publisher));
        react(context, event)?;
    }
    Ok(())
}

/// Takes a batch. `careful` runs each event in a savepoint of its own and parks those that fault.
pub(crate) fn take(
    context: &mut Context<'_>,
    batch: &Batch,
    reactions: &dyn React,
    careful: bool,
) -> Result<Taken, Fault> {
    // One way to the database for both: whether the batch begins where this lane is, and whether anything is parked.
    let any_parked = context.query_opt(
        "UPDATE follower_position SET sequence = ?5
         WHERE publisher = ?1 AND lane = ?2 AND epoch = ?3 AND sequence = ?4
         RETURNING CASE WHEN EXISTS (SELECT 1 FROM parked WHERE parked.publisher = ?1)
                   THEN 1 ELSE 0 END",
        &[
            &batch.publisher,
            &batch.lane,
            &batch.epoch,
            &batch.from,
            &batch.upto,
        ],
        |row| row.get::<bool>(0),
    )?;
    let Some(any_parked) = any_parked else {
        return Ok(Taken::Fenced);
    };
    let parked = if careful || any_parked {
        take_with_care(context, batch, reactions, careful, any_parked)?
    } else {
        reactions.react_all(context, batch.publisher, &batch.events)?;
        0
    };
    crash::at(CrashPoint::PositionSet);
    Ok(Taken::Moved { parked })
}

/// Answers how many events were parked.
fn take_with_care(
    context: &mut Context<'_>,
    batch: &Batch,
    reactions: &dyn React,
    careful: bool,
    mut any_parked: bool,
) -> Result<usize, Fault> {
    let mut parked = 0;
    for event in &batch.events {
        if any_parked && is_key_parked(context, batch.publisher, &event.key)? {
            park(
                context,
                batch,
                event,
                "an earlier event of this key is parked",
            )?;
            parked += 1;
            continue;
        }
        context.enter(event.cause(batch.publisher));
        if !careful {
            reactions.react(context, event)?;
        } else if let Err(fault) = in_savepoint(context, |context| reactions.react(context, event))
        {
            if fault.retry() || !context.connection().in_transaction() {
                return Err(fault);
            }
            park(context, batch, event, &chain(&fault))?;
            any_parked = true;
            parked += 1;
        }
    }
    Ok(parked)
}

/// Tries parked events again, oldest first; returns how many were taken and how many are left.
pub(crate) fn retry_parked(
    context: &mut Context<'_>,
    publisher: Service,
    lane: u32,
    reactions: &dyn React,
) -> Result<(usize, usize), Fault> {
    let events = context.query_all(
        "SELECT event FROM parked WHERE publisher = ?1 AND lane = ?2 ORDER BY sequence LIMIT ?3",
        &[&publisher, &lane, &RETRIED_AT_ONCE],
        |row| row.json::<FeedEvent>(0),
    )?;
    let mut stuck: Vec<&str> = Vec::new();
    let mut taken = 0;
    for event in &events {
        if stuck.contains(&event.key.as_str()) {
            continue;
        }
        context.enter(event.cause(publisher));
        // The row is the fence: who takes it away takes the event.
        let take = |context: &mut Context<'_>| {
            context.execute_one(
                "parked",
                "DELETE FROM parked WHERE publisher = ?1 AND lane = ?2 AND sequence = ?3",
                &[&publisher, &lane, &event.sequence],
            )?;
            reactions.react(context, event)
        };
        match in_savepoint(context, take) {
            Ok(()) => taken += 1,
            Err(fault) if !context.connection().in_transaction() => return Err(fault),
            Err(_) => stuck.push(&event.key),
        }
    }
    Ok((taken, events.len() - taken))
}

fn in_savepoint<'g>(
    context: &mut Context<'g>,
    run: impl FnOnce(&mut Context<'g>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mark = context.pending.mark();
    context.connection().savepoint()?;
    // What it wrote may be answered only now.
    let result = run(context).and_then(|()| context.connection().check());
    if result.is_ok() {
        context.connection().release()?;
    } else if context.connection().in_transaction() {
        context.connection().rollback_to_savepoint()?;
        context.pending.take_back(mark);
    }
    result
}

fn is_key_parked(tx: &Tx<'_>, publisher: Service, key: &str) -> Result<bool, Fault> {
    tx.query_opt(
        "SELECT 1 FROM parked WHERE publisher = ?1 AND key = ?2 LIMIT 1",
        &[&publisher, &key],
        |row| row.get::<i64>(0),
    )
    .map(|row| row.is_some())
}

fn park(
    context: &mut Context<'_>,
    batch: &Batch,
    event: &FeedEvent,
    fault: &str,
) -> Result<(), Fault> {
    let held = context.query_one("SELECT COUNT(*) FROM parked", &[], |row| row.get::<i64>(0))?;
    if held >= MOST_PARKED {
        return Err(Fault::Bug(format!(
            "{MOST_PARKED} events are parked; mend their cause, then they are taken"
        )));
    }
    tracing::error!(
        follower = %context.service(), publisher = %batch.publisher, key = event.key,
        event = %event.id, event_type = event.event_type, flow = %event.flow, fault,
        "event parked: its key waits until the cause is mended"
    );
    metrics::counter!("pasar_follower_parked_total", "service" => context.service().as_str())
        .increment(1);
    let text = serde_json::to_string(event)
        .map_err(|error| Fault::Bug(format!("event {} cannot be parked: {error}", event.id)))?;
    context.execute(
        "INSERT INTO parked (publisher, sequence, lane, key, event, fault, parked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (publisher, sequence, lane) DO NOTHING",
        &[
            &batch.publisher,
            &event.sequence,
            &batch.lane,
            &event.key,
            &text,
            &fault,
            &context.now(),
        ],
    )?;
    Ok(())
}

fn chain(fault: &Fault) -> String {
    let mut text = fault.to_string();
    let mut source = std::error::Error::source(fault);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
