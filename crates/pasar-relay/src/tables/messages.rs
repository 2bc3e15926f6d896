//! Rows of `message`, the log, and of `log`, its ends.

use std::sync::Arc;

use bytes::Bytes;
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::EpochId, time::Timestamp};

use crate::message::{Message, Origin};

/// The ends of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The newest position; 0 while the log was never written.
    pub(crate) head: i64,
    /// No message before this position is kept for readers; later ones may be gone too.
    pub(crate) first: i64,
    pub(crate) bytes: i64,
}

pub(crate) fn ends(tx: &Tx<'_>) -> Result<Ends, Fault> {
    tx.query_one("SELECT head, first, bytes FROM log", &[], |row| {
        Ok(Ends {
            head: row.get(0)?,
            first: row.get(1)?,
            bytes: row.get(2)?,
        })
    })
}

/// Reserves so many positions; answers the first. The row's lock is held until the commit, which makes the
/// order of positions the order of commits on an engine with several writers too.
pub(crate) fn reserve(tx: &Tx<'_>, count: i64, bytes: i64) -> Result<i64, Fault> {
    tx.execute_one(
        "log",
        "UPDATE log SET head = head + ?1, bytes = bytes + ?2",
        &[&count, &bytes],
    )?;
    Ok(ends(tx)?.head - count + 1)
}

pub(crate) fn insert(tx: &Tx<'_>, message: &Message) -> Result<(), Fault> {
    let origin = message.origin;
    tx.execute_one(
        "message",
        "INSERT INTO message (position, topic, id, type, source, subject, key, time, accepted_at, flow,
                              causation, traceparent, actor, keyversion, epoch, sequence, content_type,
                              data, extensions)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        &[
            &message.position,
            &&*message.topic,
            &&*message.id,
            &&*message.message_type,
            &&*message.source,
            &message.subject.as_deref(),
            &message.key.as_deref(),
            &message.time,
            &message.accepted_at,
            &message.flow,
            &message.causation.as_deref(),
            &message.traceparent.as_deref(),
            &&*message.actor,
            &origin.map(|origin| origin.keyversion),
            &origin.map(|origin| origin.epoch),
            &origin.map(|origin| origin.sequence),
            &message.content_type.as_deref(),
            &&*message.data,
            &message.extensions.as_deref(),
        ],
    )?;
    Ok(())
}

/// Messages after a position, oldest first.
pub(crate) fn after(tx: &Tx<'_>, after: i64, limit: usize) -> Result<Vec<Arc<Message>>, Fault> {
    tx.query_all(
        "SELECT position, topic, id, type, source, subject, key, time, accepted_at, flow, causation,
                traceparent, actor, keyversion, epoch, sequence, content_type, data, extensions
         FROM message WHERE position > ?1 ORDER BY position LIMIT ?2",
        &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| message(row).map(Arc::new),
    )
}

/// Messages in a stretch of the log, oldest first; the stretch bounds what is looked at.
pub(crate) fn between(
    tx: &Tx<'_>,
    after: i64,
    upto: i64,
    key: Option<&str>,
    limit: usize,
) -> Result<Vec<Arc<Message>>, Fault> {
    tx.query_all(
        "SELECT position, topic, id, type, source, subject, key, time, accepted_at, flow, causation,
                traceparent, actor, keyversion, epoch, sequence, content_type, data, extensions
         FROM message WHERE position > ?1 AND position <= ?2 AND (key = ?3 OR ?3 IS NULL)
         ORDER BY position LIMIT ?4",
        &[
            &after,
            &upto,
            &key,
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| message(row).map(Arc::new),
    )
}

pub(crate) fn at(tx: &Tx<'_>, position: i64) -> Result<Option<Arc<Message>>, Fault> {
    tx.query_opt(
        "SELECT position, topic, id, type, source, subject, key, time, accepted_at, flow, causation,
                traceparent, actor, keyversion, epoch, sequence, content_type, data, extensions
         FROM message WHERE position = ?1",
        &[&position],
        |row| message(row).map(Arc::new),
    )
}

/// The position before the first message that was accepted at a time or later; the head if there is none.
/// Positions and times of acceptance grow together, so it is found by halving.
pub(crate) fn position_before(tx: &Tx<'_>, time: Timestamp) -> Result<i64, Fault> {
    let ends = ends(tx)?;
    let (mut low, mut high) = (ends.first - 1, ends.head);
    // All up to `low` are earlier; the first after `high`, if there is one, is not.
    while low < high {
        let middle = low + (high - low) / 2;
        let next = tx.query_opt(
            "SELECT position, accepted_at FROM message WHERE position > ?1 ORDER BY position LIMIT 1",
            &[&middle],
            |row| Ok((row.get::<i64>(0)?, row.get::<Timestamp>(1)?)),
        )?;
        match next {
            Some((position, accepted_at)) if accepted_at < time => low = position,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// What trimming wants to know of a message.
pub(crate) struct Size {
    pub(crate) position: i64,
    pub(crate) bytes: i64,
    /// It waits in `retry`, or is a dead letter.
    pub(crate) named: bool,
}

/// The messages from one position to another, oldest first.
pub(crate) fn sizes(tx: &Tx<'_>, from: i64, upto: i64, limit: usize) -> Result<Vec<Size>, Fault> {
    tx.query_all(
        "SELECT position, LENGTH(data),
                CASE WHEN EXISTS (SELECT 1 FROM retry WHERE retry.position = message.position)
                       OR EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.position = message.position)
                     THEN 1 ELSE 0 END
         FROM message WHERE position >= ?1 AND position <= ?2 ORDER BY position LIMIT ?3",
        &[&from, &upto, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            Ok(Size {
                position: row.get(0)?,
                bytes: row.get(1)?,
                named: row.get(2)?,
            })
        },
    )
}

pub(crate) fn delete(tx: &Tx<'_>, position: i64) -> Result<(), Fault> {
    tx.execute("DELETE FROM message WHERE position = ?1", &[&position])?;
    Ok(())
}

/// Tells readers what is still kept for them, and that so many bytes are gone.
pub(crate) fn move_first(tx: &Tx<'_>, first: i64, bytes: i64) -> Result<(), Fault> {
    tx.execute_one(
        "log",
        "UPDATE log SET first = ?1, bytes = bytes - ?2",
        &[&first, &bytes],
    )
}

/// Takes away what was kept beyond its time for a delivery that is over. Answers how many.
pub(crate) fn trim_orphans(tx: &Tx<'_>, limit: usize) -> Result<usize, Fault> {
    let first = ends(tx)?.first;
    let orphans = tx.query_all(
        "SELECT position, LENGTH(data) FROM message
         WHERE position < ?1
           AND NOT EXISTS (SELECT 1 FROM retry WHERE retry.position = message.position)
           AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE dead_letter.position = message.position)
         ORDER BY position LIMIT ?2",
        &[&first, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
    )?;
    let mut bytes = 0;
    for (position, length) in &orphans {
        delete(tx, *position)?;
        bytes += length;
    }
    if bytes > 0 {
        move_first(tx, first, bytes)?;
    }
    Ok(orphans.len())
}

/// The message with an id, in its topic.
pub(crate) fn by_id(tx: &Tx<'_>, topic: &str, id: &str) -> Result<Option<Arc<Message>>, Fault> {
    tx.query_opt(
        "SELECT position, topic, id, type, source, subject, key, time, accepted_at, flow, causation,
                traceparent, actor, keyversion, epoch, sequence, content_type, data, extensions
         FROM message WHERE topic = ?1 AND id = ?2",
        &[&topic, &id],
        |row| message(row).map(Arc::new),
    )
}

pub(crate) fn message(row: &Row<'_>) -> Result<Message, Fault> {
    let text = |index| row.get::<String>(index).map(String::into_boxed_str);
    let optional = |index| {
        row.get::<Option<String>>(index)
            .map(|text| text.map(String::into_boxed_str))
    };
    let origin = match (
        row.get::<Option<i64>>(13)?,
        row.get::<Option<EpochId>>(14)?,
        row.get::<Option<i64>>(15)?,
    ) {
        (Some(keyversion), Some(epoch), Some(sequence)) => Some(Origin {
            keyversion,
            epoch,
            sequence,
        }),
        _ => None,
    };
    Ok(Message {
        position: row.get(0)?,
        topic: text(1)?,
        id: text(2)?,
        message_type: text(3)?,
        source: text(4)?,
        subject: optional(5)?,
        key: optional(6)?,
        time: row.get(7)?,
        accepted_at: row.get(8)?,
        flow: row.get(9)?,
        causation: optional(10)?,
        traceparent: optional(11)?,
        actor: text(12)?,
        origin,
        content_type: optional(16)?,
        data: Bytes::from(row.get::<Vec<u8>>(17)?),
        extensions: optional(18)?,
    })
}
