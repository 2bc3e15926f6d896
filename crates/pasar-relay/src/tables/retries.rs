//! Rows of `retry`: deliveries that wait to be tried again, or behind one of the same key.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::SubscriptionId, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) position: i64,
    /// Only where the subscription is ordered by key.
    pub(crate) key: Option<Box<str>>,
    pub(crate) attempts: u32,
    pub(crate) due: Timestamp,
    /// It waits behind an earlier one of its key.
    pub(crate) held: bool,
    pub(crate) since: Timestamp,
    pub(crate) last_error: Option<String>,
    /// How often a replay asked for it.
    pub(crate) asked: i64,
}

/// What a subscription has waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) rows: i64,
    /// When the first one that is not held is due.
    pub(crate) next_due: Option<Timestamp>,
}

/// Adds a row for a message that came from the log; false if a replay has asked for the message already.
pub(crate) fn insert(tx: &Tx<'_>, id: SubscriptionId, retry: &Retry) -> Result<bool, Fault> {
    let rows = tx.execute(
        "INSERT INTO retry (subscription, position, key, attempts, due, held, since, last_error, asked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (subscription, position) DO NOTHING",
        &[
            &id,
            &retry.position,
            &retry.key.as_deref(),
            &retry.attempts,
            &retry.due,
            &retry.held,
            &retry.since,
            &retry.last_error,
            &retry.asked,
        ],
    )?;
    Ok(rows > 0)
}

/// Writes what became of a row; false if it is gone, or a replay has asked for it once more.
pub(crate) fn update(tx: &Tx<'_>, id: SubscriptionId, retry: &Retry) -> Result<bool, Fault> {
    let rows = tx.execute(
        "UPDATE retry SET attempts = ?3, due = ?4, held = ?5, since = ?6, last_error = ?7
         WHERE subscription = ?1 AND position = ?2 AND asked = ?8",
        &[
            &id,
            &retry.position,
            &retry.attempts,
            &retry.due,
            &retry.held,
            &retry.since,
            &retry.last_error,
            &retry.asked,
        ],
    )?;
    Ok(rows > 0)
}

/// Makes a delivery due because a replay asks for it, whether it waits already or not.
pub(crate) fn ask(
    tx: &Tx<'_>,
    id: SubscriptionId,
    position: i64,
    key: Option<&str>,
    held: bool,
    now: Timestamp,
) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO retry (subscription, position, key, attempts, due, held, since, last_error, asked)
         VALUES (?1, ?2, ?3, 0, ?4, ?5, ?4, NULL, 1)
         ON CONFLICT (subscription, position) DO UPDATE
         SET attempts = 0, due = excluded.due, held = excluded.held, since = excluded.since,
             last_error = NULL, asked = retry.asked + 1",
        &[&id, &position, &key, &now, &held],
    )?;
    Ok(())
}

/// Takes a row away; false if there is none, or a replay has asked for it once more.
pub(crate) fn delete(
    tx: &Tx<'_>,
    id: SubscriptionId,
    position: i64,
    asked: i64,
) -> Result<bool, Fault> {
    tx.execute(
        "DELETE FROM retry WHERE subscription = ?1 AND position = ?2 AND asked = ?3",
        &[&id, &position, &asked],
    )
    .map(|rows| rows > 0)
}

/// Whether a message that waits is held; `None` if it does not wait.
pub(crate) fn held(tx: &Tx<'_>, id: SubscriptionId, position: i64) -> Result<Option<bool>, Fault> {
    tx.query_opt(
        "SELECT held FROM retry WHERE subscription = ?1 AND position = ?2",
        &[&id, &position],
        |row| row.get(0),
    )
}

pub(crate) fn delete_all(tx: &Tx<'_>, id: SubscriptionId) -> Result<(), Fault> {
    tx.execute("DELETE FROM retry WHERE subscription = ?1", &[&id])?;
    Ok(())
}

/// Whether another message of a key waits, apart from the one at a position.
pub(crate) fn key_waits(
    tx: &Tx<'_>,
    id: SubscriptionId,
    key: &str,
    but: i64,
) -> Result<bool, Fault> {
    let found = tx.query_opt(
        "SELECT position FROM retry WHERE subscription = ?1 AND key = ?2 AND position <> ?3 LIMIT 1",
        &[&id, &key, &but],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

/// Lets the earliest of a key go, now that the one before it is done; false if none waits.
pub(crate) fn release(
    tx: &Tx<'_>,
    id: SubscriptionId,
    key: &str,
    now: Timestamp,
) -> Result<bool, Fault> {
    let earliest = tx.query_opt(
        "SELECT position, held FROM retry WHERE subscription = ?1 AND key = ?2
         ORDER BY position LIMIT 1",
        &[&id, &key],
        |row| Ok((row.get::<i64>(0)?, row.get::<bool>(1)?)),
    )?;
    let Some((position, true)) = earliest else {
        return Ok(false);
    };
    tx.execute(
        "UPDATE retry SET held = 0, due = ?3 WHERE subscription = ?1 AND position = ?2",
        &[&id, &position, &now],
    )?;
    Ok(true)
}

/// Lets all go that are held: order by key is not kept any more.
pub(crate) fn release_all(tx: &Tx<'_>, id: SubscriptionId, now: Timestamp) -> Result<(), Fault> {
    tx.execute(
        "UPDATE retry SET held = 0, due = ?2 WHERE subscription = ?1 AND held = 1",
        &[&id, &now],
    )?;
    Ok(())
}

/// Begins anew with what waits: everything that is not held is due, and no attempt is counted.
pub(crate) fn restart(tx: &Tx<'_>, id: SubscriptionId, now: Timestamp) -> Result<(), Fault> {
    tx.execute(
        "UPDATE retry SET attempts = 0, since = ?2, due = ?2 WHERE subscription = ?1",
        &[&id, &now],
    )?;
    Ok(())
}

/// Those that are due, the longest first.
pub(crate) fn due(
    tx: &Tx<'_>,
    id: SubscriptionId,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Retry>, Fault> {
    tx.query_all(
        "SELECT position, key, attempts, due, held, since, last_error, asked FROM retry
         WHERE subscription = ?1 AND held = 0 AND due <= ?2 ORDER BY due, position LIMIT ?3",
        &[&id, &now, &i64::try_from(limit).unwrap_or(i64::MAX)],
        retry,
    )
}

/// The earliest in the log, due or not.
pub(crate) fn first(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<Retry>, Fault> {
    tx.query_opt(
        "SELECT position, key, attempts, due, held, since, last_error, asked FROM retry
         WHERE subscription = ?1 ORDER BY position LIMIT 1",
        &[&id],
        retry,
    )
}

pub(crate) fn waiting(tx: &Tx<'_>, id: SubscriptionId) -> Result<Waiting, Fault> {
    let rows = count(tx, id)?;
    let next_due = tx.query_one(
        "SELECT MIN(due) FROM retry WHERE subscription = ?1 AND held = 0",
        &[&id],
        |row| row.get(0),
    )?;
    Ok(Waiting { rows, next_due })
}

/// When the next one after a time is due.
pub(crate) fn next_due(
    tx: &Tx<'_>,
    id: SubscriptionId,
    now: Timestamp,
) -> Result<Option<Timestamp>, Fault> {
    tx.query_one(
        "SELECT MIN(due) FROM retry WHERE subscription = ?1 AND held = 0 AND due > ?2",
        &[&id, &now],
        |row| row.get(0),
    )
}

pub(crate) fn count(tx: &Tx<'_>, id: SubscriptionId) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COUNT(*) FROM retry WHERE subscription = ?1",
        &[&id],
        |row| row.get(0),
    )
}

pub(crate) fn count_all(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT COUNT(*) FROM retry", &[], |row| row.get(0))
}

/// Positions after a place that wait.
pub(crate) fn positions_after(
    tx: &Tx<'_>,
    id: SubscriptionId,
    after: i64,
    limit: usize,
) -> Result<Vec<i64>, Fault> {
    tx.query_all(
        "SELECT position FROM retry WHERE subscription = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
        &[&id, &after, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| row.get(0),
    )
}

/// How many messages of each key wait.
pub(crate) fn keys(
    tx: &Tx<'_>,
    id: SubscriptionId,
    limit: usize,
) -> Result<Vec<(String, i64)>, Fault> {
    tx.query_all(
        "SELECT key, COUNT(*) FROM retry WHERE subscription = ?1 AND key IS NOT NULL
         GROUP BY key LIMIT ?2",
        &[&id, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Subscriptions that have something waiting.
pub(crate) fn subscriptions(tx: &Tx<'_>, limit: usize) -> Result<Vec<SubscriptionId>, Fault> {
    tx.query_all(
        "SELECT DISTINCT subscription FROM retry LIMIT ?1",
        &[&i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| row.get(0),
    )
}

fn retry(row: &Row<'_>) -> Result<Retry, Fault> {
    Ok(Retry {
        position: row.get(0)?,
        key: row.get::<Option<String>>(1)?.map(Into::into),
        attempts: row.get(2)?,
        due: row.get(3)?,
        held: row.get(4)?,
        since: row.get(5)?,
        last_error: row.get(6)?,
        asked: row.get(7)?,
    })
}
