//! Rows of `attempt`: what was tried, when, and how it ended.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::{id::SubscriptionId, time::Timestamp};

/// One try to deliver the message at a position; 0 for a test message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) position: i64,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) took_us: i64,
    pub(crate) delivered: bool,
    pub(crate) status: Option<u16>,
    pub(crate) detail: Option<String>,
    pub(crate) next_at: Option<Timestamp>,
}

pub(crate) fn insert(tx: &Tx<'_>, id: SubscriptionId, tried: &Tried) -> Result<(), Fault> {
    tx.execute_one(
        "attempt",
        "INSERT INTO attempt (subscription, position, attempt, at, took_us, delivered, status, detail, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            &id,
            &tried.position,
            &tried.attempt,
            &tried.at,
            &tried.took_us,
            &tried.delivered,
            &tried.status,
            &tried.detail,
            &tried.next_at,
        ],
    )?;
    Ok(())
}

/// Forgets the oldest: those before a time, and those beyond a count; so many rows at most.
pub(crate) fn trim(tx: &Tx<'_>, before: Timestamp, most: i64, limit: i64) -> Result<u64, Fault> {
    let ends = tx.query_one("SELECT MIN(number), MAX(number) FROM attempt", &[], |row| {
        Ok((row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?))
    })?;
    let (Some(first), Some(last)) = ends else {
        return Ok(0);
    };
    // Numbers grow with time but for attempts that ended in another order than they began.
    tx.execute(
        "DELETE FROM attempt WHERE number < ?1 AND (at < ?2 OR number <= ?3)",
        &[&first.saturating_add(limit), &before, &(last - most)],
    )
}
