//! The relay's log and what became of its deliveries.

use pasar_contracts::event::Service;
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::id::{EpochId, EventId, SubscriptionId};

/// The ends of the log, and the bytes that it says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct Ends {
    pub(in crate::check) head: i64,
    pub(in crate::check) first: i64,
    pub(in crate::check) bytes: i64,
}

/// A message as far as the rules look at it.
pub(in crate::check) struct Logged {
    pub(in crate::check) position: i64,
    pub(in crate::check) topic: String,
    pub(in crate::check) id: String,
    /// Of events alone.
    pub(in crate::check) event: Option<Copied>,
}

/// What a copied event must share with the one in its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Copied {
    pub(in crate::check) epoch: EpochId,
    pub(in crate::check) sequence: i64,
    pub(in crate::check) key: String,
    pub(in crate::check) keyversion: i64,
    pub(in crate::check) event_type: String,
    pub(in crate::check) data_bytes: i64,
}

/// An event in a service's feed.
pub(in crate::check) struct Fed {
    pub(in crate::check) id: EventId,
    pub(in crate::check) sequence: i64,
    pub(in crate::check) key: String,
    pub(in crate::check) keyversion: i64,
    pub(in crate::check) event_type: String,
    pub(in crate::check) data_bytes: i64,
}

/// A row about one delivery.
pub(in crate::check) struct Delivery {
    pub(in crate::check) subscription: SubscriptionId,
    pub(in crate::check) position: i64,
    pub(in crate::check) has_subscription: bool,
    pub(in crate::check) has_message: bool,
    /// It waits behind another of its key, and there is none.
    pub(in crate::check) is_held_by_nothing: bool,
}

pub(in crate::check) struct Progress {
    pub(in crate::check) subscription: SubscriptionId,
    /// Absent where the row is missing.
    pub(in crate::check) position: Option<i64>,
}

pub(in crate::check) fn ends(tx: &Tx<'_>) -> Result<Ends, Fault> {
    tx.query_one("SELECT head, first, bytes FROM log", &[], |row| {
        Ok(Ends {
            head: row.get(0)?,
            first: row.get(1)?,
            bytes: row.get(2)?,
        })
    })
}

/// The bytes of all data that is there. Lengths stand in the rows' headers: data itself is not read.
pub(in crate::check) fn data_bytes(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COALESCE(SUM(LENGTH(data)), 0) FROM message",
        &[],
        |row| row.get(0),
    )
}

/// Of the share that is furthest ahead.
pub(in crate::check) fn highest_watermark(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT MAX(position) FROM
         (SELECT position FROM watermark UNION ALL SELECT watermark FROM share) AS places",
        &[],
        |row| row.get(0),
    )
}

/// Subscriptions whose share nobody delivers, as there is none of its number.
pub(in crate::check) fn outside_of_shares(
    tx: &Tx<'_>,
    limit: i64,
) -> Result<Vec<SubscriptionId>, Fault> {
    tx.query_all(
        "SELECT subscription FROM progress WHERE share <> 0
         AND NOT EXISTS (SELECT 1 FROM share WHERE share.number = progress.share)
         ORDER BY subscription LIMIT ?1",
        &[&limit],
        |row| row.get(0),
    )
}

pub(in crate::check) fn messages(
    tx: &Tx<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<Logged>, Fault> {
    tx.query_all(
        "SELECT position, topic, id, epoch, sequence, key, keyversion, type, LENGTH(data)
         FROM message WHERE position > ?1 ORDER BY position LIMIT ?2",
        &[&after, &limit],
        |row| {
            let event = match (row.get(3)?, row.get(4)?, row.get(6)?) {
                (Some(epoch), Some(sequence), Some(keyversion)) => Some(Copied {
                    epoch,
                    sequence,
                    key: row.get::<Option<String>>(5)?.unwrap_or_default(),
                    keyversion,
                    event_type: row.get(7)?,
                    data_bytes: row.get(8)?,
                }),
                _ => None,
            };
            Ok(Logged {
                position: row.get(0)?,
                topic: row.get(1)?,
                id: row.get(2)?,
                event,
            })
        },
    )
}

/// Events of a feed from one place up to another.
pub(in crate::check) fn feed_events(tx: &Tx<'_>, from: i64, upto: i64) -> Result<Vec<Fed>, Fault> {
    tx.query_all(
        "SELECT id, sequence, key, keyversion, type, OCTET_LENGTH(data)
         FROM feed WHERE sequence >= ?1 AND sequence <= ?2 ORDER BY sequence",
        &[&from, &upto],
        |row| {
            Ok(Fed {
                id: row.get(0)?,
                sequence: row.get(1)?,
                key: row.get(2)?,
                keyversion: row.get(3)?,
                event_type: row.get(4)?,
                data_bytes: row.get(5)?,
            })
        },
    )
}

/// Whether an event waits outside of the log because it could not be taken.
pub(in crate::check) fn is_parked(
    tx: &Tx<'_>,
    publisher: Service,
    sequence: i64,
) -> Result<bool, Fault> {
    tx.query_opt(
        "SELECT 1 FROM parked WHERE publisher = ?1 AND sequence = ?2 LIMIT 1",
        &[&publisher, &sequence],
        |row| row.get::<i64>(0),
    )
    .map(|row| row.is_some())
}

/// Subscriptions by their ids, and how far each is.
pub(in crate::check) fn progress(
    tx: &Tx<'_>,
    after: SubscriptionId,
    limit: i64,
) -> Result<Vec<Progress>, Fault> {
    tx.query_all(
        "SELECT s.id, p.position FROM subscription s LEFT JOIN progress p ON p.subscription = s.id
         WHERE s.id > ?1 ORDER BY s.id LIMIT ?2",
        &[&after, &limit],
        |row| {
            Ok(Progress {
                subscription: row.get(0)?,
                position: row.get(1)?,
            })
        },
    )
}

/// Progress of subscriptions that are not there.
pub(in crate::check) fn progress_of_nothing(
    tx: &Tx<'_>,
    limit: i64,
) -> Result<Vec<SubscriptionId>, Fault> {
    tx.query_all(
        "SELECT p.subscription FROM progress p WHERE NOT EXISTS
           (SELECT 1 FROM subscription s WHERE s.id = p.subscription) LIMIT ?1",
        &[&limit],
        |row| row.get(0),
    )
}

/// Deliveries that wait, by subscription and position.
pub(in crate::check) fn retries(
    tx: &Tx<'_>,
    after: (SubscriptionId, i64),
    limit: i64,
) -> Result<Vec<Delivery>, Fault> {
    tx.query_all(
        "SELECT r.subscription, r.position,
                EXISTS (SELECT 1 FROM subscription s WHERE s.id = r.subscription),
                EXISTS (SELECT 1 FROM message m WHERE m.position = r.position),
                CASE WHEN r.held = 0 THEN 0
                     WHEN EXISTS (SELECT 1 FROM retry b WHERE b.subscription = r.subscription
                                  AND b.key = r.key AND b.position < r.position AND b.held = 0)
                     THEN 0 ELSE 1 END
         FROM retry r WHERE (r.subscription, r.position) > (?1, ?2)
         ORDER BY r.subscription, r.position LIMIT ?3",
        &[&after.0, &after.1, &limit],
        delivery,
    )
}

pub(in crate::check) fn dead_letters(
    tx: &Tx<'_>,
    after: (SubscriptionId, i64),
    limit: i64,
) -> Result<Vec<Delivery>, Fault> {
    tx.query_all(
        "SELECT d.subscription, d.position,
                EXISTS (SELECT 1 FROM subscription s WHERE s.id = d.subscription),
                EXISTS (SELECT 1 FROM message m WHERE m.position = d.position), 0
         FROM dead_letter d WHERE (d.subscription, d.position) > (?1, ?2)
         ORDER BY d.subscription, d.position LIMIT ?3",
        &[&after.0, &after.1, &limit],
        delivery,
    )
}

/// An attempt at what is not in the log yet. Of what it was about nothing need be left: it is history.
pub(in crate::check) fn attempts_ahead(tx: &Tx<'_>, limit: i64) -> Result<Vec<(i64, i64)>, Fault> {
    tx.query_all(
        "SELECT a.number, a.position FROM attempt a
         WHERE a.position > (SELECT head FROM log) ORDER BY a.position LIMIT ?1",
        &[&limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn delivery(row: &Row<'_>) -> Result<Delivery, Fault> {
    Ok(Delivery {
        subscription: row.get(0)?,
        position: row.get(1)?,
        has_subscription: row.get::<i64>(2)? != 0,
        has_message: row.get::<i64>(3)? != 0,
        is_held_by_nothing: row.get::<i64>(4)? != 0,
    })
}
