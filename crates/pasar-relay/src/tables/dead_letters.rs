//! Rows of `dead_letter`: messages that a subscription could not deliver.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::SubscriptionId, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    pub(crate) subscription: SubscriptionId,
    pub(crate) position: i64,
    pub(crate) attempts: u32,
    pub(crate) last_error: String,
    pub(crate) since: Timestamp,
}

pub(crate) fn put(tx: &Tx<'_>, dead: &Dead) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO dead_letter (subscription, position, attempts, last_error, since)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (subscription, position) DO UPDATE
         SET attempts = excluded.attempts, last_error = excluded.last_error, since = excluded.since",
        &[
            &dead.subscription,
            &dead.position,
            &dead.attempts,
            &dead.last_error,
            &dead.since,
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, id: SubscriptionId, position: i64) -> Result<bool, Fault> {
    tx.execute(
        "DELETE FROM dead_letter WHERE subscription = ?1 AND position = ?2",
        &[&id, &position],
    )
    .map(|rows| rows > 0)
}

pub(crate) fn delete_all(tx: &Tx<'_>, id: SubscriptionId) -> Result<u64, Fault> {
    tx.execute("DELETE FROM dead_letter WHERE subscription = ?1", &[&id])
}

/// Forgets those that died before a time, so many at most.
pub(crate) fn delete_before(tx: &Tx<'_>, time: Timestamp, limit: usize) -> Result<u64, Fault> {
    tx.execute(
        "DELETE FROM dead_letter WHERE (subscription, position) IN
             (SELECT subscription, position FROM dead_letter WHERE since < ?1 LIMIT ?2)",
        &[&time, &i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Those of one subscription after a position, in the order of the log.
pub(crate) fn after(
    tx: &Tx<'_>,
    id: SubscriptionId,
    after: i64,
    upto: i64,
    limit: usize,
) -> Result<Vec<Dead>, Fault> {
    tx.query_all(
        "SELECT subscription, position, attempts, last_error, since FROM dead_letter
         WHERE subscription = ?1 AND position > ?2 AND position <= ?3 ORDER BY position LIMIT ?4",
        &[
            &id,
            &after,
            &upto,
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        dead,
    )
}

pub(crate) fn count(tx: &Tx<'_>, id: SubscriptionId) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COUNT(*) FROM dead_letter WHERE subscription = ?1",
        &[&id],
        |row| row.get(0),
    )
}

fn dead(row: &Row<'_>) -> Result<Dead, Fault> {
    Ok(Dead {
        subscription: row.get(0)?,
        position: row.get(1)?,
        attempts: row.get(2)?,
        last_error: row.get(3)?,
        since: row.get(4)?,
    })
}
