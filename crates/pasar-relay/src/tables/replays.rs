//! Rows of `replay`: stretches of the log that a subscription delivers once more.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::id::SubscriptionId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    pub(crate) number: i64,
    pub(crate) after: i64,
    pub(crate) upto: i64,
    /// Only its dead letters.
    pub(crate) dead_letters: bool,
}

pub(crate) fn insert(
    tx: &Tx<'_>,
    id: SubscriptionId,
    after: i64,
    upto: i64,
    dead_letters: bool,
) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO replay (subscription, after, upto, dead_letters) VALUES (?1, ?2, ?3, ?4)",
        &[&id, &after, &upto, &dead_letters],
    )?;
    Ok(())
}

/// The oldest that is not done.
pub(crate) fn first(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<Replay>, Fault> {
    tx.query_opt(
        "SELECT number, after, upto, dead_letters FROM replay WHERE subscription = ?1
         ORDER BY number LIMIT 1",
        &[&id],
        replay,
    )
}

pub(crate) fn count(tx: &Tx<'_>, id: SubscriptionId) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COUNT(*) FROM replay WHERE subscription = ?1",
        &[&id],
        |row| row.get(0),
    )
}

pub(crate) fn advance(tx: &Tx<'_>, number: i64, after: i64) -> Result<(), Fault> {
    tx.execute(
        "UPDATE replay SET after = ?2 WHERE number = ?1",
        &[&number, &after],
    )?;
    Ok(())
}

pub(crate) fn delete(tx: &Tx<'_>, number: i64) -> Result<(), Fault> {
    tx.execute("DELETE FROM replay WHERE number = ?1", &[&number])?;
    Ok(())
}

pub(crate) fn delete_all(tx: &Tx<'_>, id: SubscriptionId) -> Result<(), Fault> {
    tx.execute("DELETE FROM replay WHERE subscription = ?1", &[&id])?;
    Ok(())
}

/// Subscriptions that have one.
pub(crate) fn subscriptions(tx: &Tx<'_>, limit: usize) -> Result<Vec<SubscriptionId>, Fault> {
    tx.query_all(
        "SELECT DISTINCT subscription FROM replay LIMIT ?1",
        &[&i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| row.get(0),
    )
}

fn replay(row: &Row<'_>) -> Result<Replay, Fault> {
    Ok(Replay {
        number: row.get(0)?,
        after: row.get(1)?,
        upto: row.get(2)?,
        dead_letters: row.get(3)?,
    })
}
