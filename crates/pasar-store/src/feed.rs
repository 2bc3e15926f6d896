//! The feed: this service's events in the order of their commits. Also the outbox, as it is written
//! in the transaction of the state that it tells of.

use std::sync::Arc;

use pasar_contracts::event::{Event, Service};
use pasar_types::{
    id::{EventId, FlowId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    cause::{Actor, Cause},
    engine::sqlite,
    fault::Fault,
    tx::{Row, Tx},
    value::FromValue,
};

/// An event at its place in the feed. Data is JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    pub sequence: i64,
    pub id: EventId,
    pub event_type: String,
    /// The aggregate that changed.
    pub key: String,
    /// 1..n without a gap per key.
    pub keyversion: i64,
    pub time: Timestamp,
    pub flow: FlowId,
    pub causation: Option<String>,
    pub traceparent: Option<String>,
    pub actor: String,
    pub data: String,
    pub private: Option<String>,
}

impl FeedEvent {
    /// The data as the type that `event_type` names.
    pub fn decode<E: Event>(&self) -> Result<E, Fault> {
        if self.event_type != E::TYPE {
            return Err(Fault::Bug(format!(
                "a {} was read as {}",
                self.event_type,
                E::TYPE
            )));
        }
        serde_json::from_str(&self.data).map_err(|error| self.corrupt(&error))
    }

    /// The part that is for services only.
    pub fn decode_private<P: DeserializeOwned>(&self) -> Result<P, Fault> {
        let private = self.private.as_deref().unwrap_or("null");
        serde_json::from_str(private).map_err(|error| self.corrupt(&error))
    }

    /// The cause of what a reaction to this event does.
    #[must_use]
    pub fn cause(&self, publisher: Service) -> Cause {
        Cause {
            actor: self.actor.parse().unwrap_or(Actor::Service(publisher)),
            flow: self.flow,
            causation: Some(self.id.to_string()),
            traceparent: self.traceparent.clone(),
        }
    }

    fn corrupt(&self, error: &serde_json::Error) -> Fault {
        Fault::Corrupt(format!(
            "event {} of type {}: {error}",
            self.id, self.event_type
        ))
    }
}

/// The one `feed_head` row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The place of the newest event.
    pub(crate) head: i64,
    /// Groups so far that others may have to hear of.
    pub(crate) news: i64,
}

/// Gives the events of a group their places, on the engine that has one writer. `None` if the group has nothing to
/// tell.
pub(crate) fn append(
    connection: &sqlite::Connection,
    events: &mut [FeedEvent],
    has_news: bool,
) -> Result<Option<Ends>, Fault> {
    if events.is_empty() && !has_news {
        return Ok(None);
    }
    let count = i64::try_from(events.len()).expect("a group is bounded");
    let mut ends = Ends { head: 0, news: 0 };
    connection.execute(
        "UPDATE feed_head SET head = head + ?1, news = news + 1",
        &[&count],
    )?;
    connection.query("SELECT head, news FROM feed_head", &[], |row| {
        ends.head = i64::from_value(row.value(0)?).map_err(Fault::Corrupt)?;
        ends.news = i64::from_value(row.value(1)?).map_err(Fault::Corrupt)?;
        Ok(false)
    })?;
    for (event, sequence) in events.iter_mut().zip(ends.head - count + 1..) {
        event.sequence = sequence;
        connection.execute(
            "INSERT INTO feed (sequence, id, type, key, keyversion, time, flow, causation,
                               traceparent, actor, data, private)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            &[
                &event.sequence,
                &event.id,
                &event.event_type,
                &event.key,
                &event.keyversion,
                &event.time,
                &event.flow,
                &event.causation,
                &event.traceparent,
                &event.actor,
                &event.data,
                &event.private,
            ],
        )?;
    }
    Ok(Some(ends))
}

pub(crate) fn ends(tx: &Tx<'_>) -> Result<Ends, Fault> {
    tx.query_one("SELECT head, news FROM feed_head", &[], |row| {
        Ok(Ends {
            head: row.get(0)?,
            news: row.get(1)?,
        })
    })
}

/// The place up to which only what a new follower needs is kept.
pub fn trimmed(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT trimmed FROM store_meta", &[], |row| row.get(0))
}

/// Whatever is kept after a place, gaps included.
pub(crate) fn after(tx: &Tx<'_>, after: i64, limit: usize) -> Result<Vec<Arc<FeedEvent>>, Fault> {
    tx.query_all(
        "SELECT sequence, id, type, key, keyversion, time, flow, causation, traceparent, actor, data,
                private
         FROM feed WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| event(row).map(Arc::new),
    )
}

/// The events of one key after a version and up to a place, oldest first.
pub(crate) fn of_key(
    tx: &Tx<'_>,
    key: &str,
    after_version: i64,
    upto: i64,
    limit: usize,
) -> Result<Vec<Arc<FeedEvent>>, Fault> {
    tx.query_all(
        "SELECT sequence, id, type, key, keyversion, time, flow, causation, traceparent, actor, data,
                private
         FROM feed WHERE key = ?1 AND keyversion > ?2 AND sequence <= ?3 ORDER BY keyversion LIMIT ?4",
        &[
            &key,
            &after_version,
            &upto,
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| event(row).map(Arc::new),
    )
}

fn event(row: &Row<'_>) -> Result<FeedEvent, Fault> {
    Ok(FeedEvent {
        sequence: row.get(0)?,
        id: row.get(1)?,
        event_type: row.get(2)?,
        key: row.get(3)?,
        keyversion: row.get(4)?,
        time: row.get(5)?,
        flow: row.get(6)?,
        causation: row.get(7)?,
        traceparent: row.get(8)?,
        actor: row.get(9)?,
        data: row.get(10)?,
        private: row.get(11)?,
    })
}
