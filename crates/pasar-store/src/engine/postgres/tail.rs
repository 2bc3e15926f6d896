//! The end of a group: its events get their places in the feed, its effects their ids, and the transaction
//! commits, all sent at once. The update of the one `feed_head` row makes the order of places that of commits:
//! its lock is held until the commit, by one group of all lanes and instances at a time.

use std::{
    borrow::Cow,
    thread,
    time::{Duration, Instant},
};

use super::{
    Connection,
    arg::{Arg, BYTEA, INT8, Oid, TEXT},
    control::Control,
    error::{PgError, fault},
    reply::Reply,
    session::Session,
    statement::Form,
};
use crate::{
    effect::NewEffect,
    engine::{Access, Tail, TailFault, Told},
    feed::{Ends, FeedEvent},
    value::{ToValue, Value, ValueRef},
};

const TOLD: &str = "WITH moved AS (
         UPDATE feed_head SET head = head + ?1, news = news + 1 RETURNING head, news),
     told AS (
         INSERT INTO feed (sequence, id, type, key, keyversion, time, flow, causation, traceparent,
                           actor, data, private)
         SELECT moved.head - ?1 + e.place, e.id, e.type, e.key, e.keyversion, e.time, e.flow,
                e.causation, e.traceparent, e.actor, e.data, e.private
         FROM moved, unnest(?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) WITH ORDINALITY
              AS e (id, type, key, keyversion, time, flow, causation, traceparent, actor, data,
                    private, place)),
     queued AS (
         INSERT INTO effect (queue, kind, payload, attempts, due, flow, actor, traceparent)
         SELECT w.queue, w.kind, w.payload, 0, w.due, w.flow, w.actor, w.traceparent
         FROM moved, unnest(?13, ?14, ?15, ?16, ?17, ?18, ?19) WITH ORDINALITY
              AS w (queue, kind, payload, due, flow, actor, traceparent, place)
         ORDER BY w.place)
     SELECT head, news FROM moved";

/// How long is asked what became of a commit whose answer was lost.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
const SETTLE_AGAIN: Duration = Duration::from_millis(100);

pub(super) fn finish(connection: &Connection, tail: &mut Tail<'_>) -> Result<Told, TailFault> {
    let mut slot = connection.session.borrow_mut();
    let Some(session) = slot.as_mut() else {
        return Err(TailFault::RolledBack(fault(PgError::Lost(
            std::io::ErrorKind::NotConnected.into(),
        ))));
    };
    match run(session, tail) {
        Ok(told) => Ok(told),
        Err(error) if error.ends_session() => {
            let xid = session.xid;
            *slot = None;
            drop(slot);
            settle(connection, xid, tail.events.first(), error)
        }
        Err(error) => {
            drop(slot);
            let fault = fault(error);
            // The COMMIT was not run, as the statement before it failed.
            connection.rollback().map_err(TailFault::RolledBack)?;
            Err(TailFault::RolledBack(fault))
        }
    }
}

fn run(session: &mut Session, tail: &mut Tail<'_>) -> Result<Told, PgError> {
    if session.xid.is_none() {
        // It is known before the commit is asked for, or nobody could find out what became of it.
        session.run_waiting()?;
    }
    if tail.events.is_empty() && tail.effects.is_empty() && !tail.has_news {
        return session.run_control(Control::Commit).map(|()| None);
    }
    let count = i64::try_from(tail.events.len()).unwrap_or(i64::MAX);
    let mut args = vec![Arg::One(Value::Int(count))];
    args.extend(event_columns(tail.events));
    args.extend(effect_columns(tail.effects));
    let reply = session.run(TOLD, Form::One, &args, Some(Control::Commit))?;
    drop(args);
    let ends = ends(&reply);
    if ends.is_none() {
        tracing::error!("the answer to a commit is not understood");
    }
    if let Some(Ends { head, .. }) = ends {
        for (event, sequence) in tail.events.iter_mut().zip(head - count + 1..) {
            event.sequence = sequence;
        }
    }
    Ok(ends)
}

fn ends(reply: &Reply) -> Option<Ends> {
    let row = super::Row::new(&reply.columns, reply.rows.first()?);
    let number = |index| match row.value(index) {
        Ok(ValueRef::Int(number)) => Some(number),
        _ => None,
    };
    Some(Ends {
        head: number(0)?,
        news: number(1)?,
    })
}

/// Finds out whether a commit happened whose answer was lost, from the number of its transaction and one of its events.
///
/// A server that recovers from a crash gives numbers again that it had not written down. What it calls aborted was not
/// committed, whosever it is; what it calls committed may be another's, and then the event is not there. A group without
/// events leaves no such trace, so nobody can say.
fn settle(
    connection: &Connection,
    xid: Option<i64>,
    event: Option<&FeedEvent>,
    lost: PgError,
) -> Result<Told, TailFault> {
    let Some(xid) = xid else {
        // Its number comes before the commit is sent.
        return Err(TailFault::RolledBack(fault(lost)));
    };
    tracing::warn!(xid, error = %lost, "the answer to a commit was lost; asking what became of it");
    let began = Instant::now();
    let mut rested = false;
    while began.elapsed() < SETTLE_LIMIT {
        if std::mem::replace(&mut rested, true) {
            rest();
        }
        match status(connection, xid).as_deref() {
            Some("aborted") => return Err(TailFault::RolledBack(fault(lost))),
            // Committed, or too long ago for the server to know.
            Some("committed" | "") => {
                let Some(event) = event else {
                    return Err(TailFault::Unknown);
                };
                match is_there(connection, event) {
                    // The watcher finds out what it told.
                    Some(true) => return Ok(None),
                    Some(false) => return Err(TailFault::RolledBack(fault(lost))),
                    None => {}
                }
            }
            // It is not over, or nobody answers.
            _ => {}
        }
    }
    Err(TailFault::Unknown)
}

/// Nobody tells when a server is back.
#[expect(
    clippy::disallowed_methods,
    reason = "the lane can do nothing else until it knows"
)]
fn rest() {
    thread::sleep(SETTLE_AGAIN);
}

fn status(connection: &Connection, xid: i64) -> Option<String> {
    let fresh = Connection::open(&connection.server, Access::Write).ok()?;
    let mut status = None;
    let asked = fresh.query(
        "SELECT COALESCE(pg_xact_status(CAST(CAST(?1 AS TEXT) AS xid8)), '')",
        &[&xid.to_string()],
        |row| {
            if let ValueRef::Text(text) = row.value(0)? {
                status = Some(text.to_owned());
            }
            Ok(false)
        },
    );
    asked.ok().and(status)
}

/// Whether this very event is in the feed. `None` if nobody answers.
fn is_there(connection: &Connection, event: &FeedEvent) -> Option<bool> {
    let fresh = Connection::open(&connection.server, Access::Write).ok()?;
    let mut found = false;
    let asked = fresh.query(
        "SELECT 1 FROM feed WHERE key = ?1 AND keyversion = ?2 AND id = ?3",
        &[&event.key, &event.keyversion, &event.id],
        |_| {
            found = true;
            Ok(false)
        },
    );
    asked.ok().map(|()| found)
}

fn event_columns(events: &[FeedEvent]) -> Vec<Arg<'_>> {
    vec![
        list(BYTEA, events, |event| event.id.to_value()),
        list(TEXT, events, |event| text(&event.event_type)),
        list(TEXT, events, |event| text(&event.key)),
        list(INT8, events, |event| Value::Int(event.keyversion)),
        list(INT8, events, |event| event.time.to_value()),
        list(BYTEA, events, |event| event.flow.to_value()),
        list(TEXT, events, |event| optional(event.causation.as_deref())),
        list(TEXT, events, |event| optional(event.traceparent.as_deref())),
        list(TEXT, events, |event| text(&event.actor)),
        list(TEXT, events, |event| text(&event.data)),
        list(TEXT, events, |event| optional(event.private.as_deref())),
    ]
}

fn effect_columns(effects: &[NewEffect]) -> Vec<Arg<'_>> {
    vec![
        list(TEXT, effects, |effect| text(&effect.queue)),
        list(TEXT, effects, |effect| text(effect.kind)),
        list(TEXT, effects, |effect| text(&effect.payload)),
        list(INT8, effects, |effect| effect.due.to_value()),
        list(BYTEA, effects, |effect| effect.flow.to_value()),
        list(TEXT, effects, |effect| text(&effect.actor)),
        list(TEXT, effects, |effect| {
            optional(effect.traceparent.as_deref())
        }),
    ]
}

fn list<'r, R>(oid: Oid, rows: &'r [R], value: impl Fn(&'r R) -> Value<'r>) -> Arg<'r> {
    Arg::List(oid, rows.iter().map(value).collect())
}

const fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn optional(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Null, self::text)
}
