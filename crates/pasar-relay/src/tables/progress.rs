//! Rows of `progress`: a subscription's place in the log.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::SubscriptionId, time::Timestamp};

use super::shares;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) position: i64,
    pub(crate) attached: bool,
    /// Of the deliveries, which stays as it is.
    pub(crate) share: i64,
    pub(crate) failing_since: Option<Timestamp>,
}

impl Progress {
    /// Where it truly is: one that is attached has nothing left to do up to the watermark of its share.
    pub(crate) const fn true_position(&self, watermark: i64) -> i64 {
        if self.attached && watermark > self.position {
            watermark
        } else {
            self.position
        }
    }
}

/// A new subscription begins detached.
pub(crate) fn insert(tx: &Tx<'_>, id: SubscriptionId, position: i64) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO progress (subscription, position, attached, share, failing_since)
         VALUES (?1, ?2, 0, ?3, NULL)",
        &[&id, &position, &shares::of(id, shares::count(tx)?)],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<Progress>, Fault> {
    tx.query_opt(
        "SELECT position, attached, share, failing_since FROM progress WHERE subscription = ?1",
        &[&id],
        progress,
    )
}

pub(crate) fn update(tx: &Tx<'_>, id: SubscriptionId, progress: &Progress) -> Result<(), Fault> {
    tx.execute_one(
        "progress",
        "UPDATE progress SET position = ?2, attached = ?3, failing_since = ?4 WHERE subscription = ?1",
        &[
            &id,
            &progress.position,
            &progress.attached,
            &progress.failing_since,
        ],
    )
}

/// Gives a subscription a place of its own, which the watermark no longer moves. Answers the place.
pub(crate) fn detach(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<i64>, Fault> {
    let Some(mut progress) = find(tx, id)? else {
        return Ok(None);
    };
    if progress.attached {
        progress.position = progress.true_position(shares::watermark(tx, progress.share)?);
        progress.attached = false;
        update(tx, id, &progress)?;
    }
    Ok(Some(progress.position))
}

pub(crate) fn delete(tx: &Tx<'_>, id: SubscriptionId) -> Result<(), Fault> {
    tx.execute("DELETE FROM progress WHERE subscription = ?1", &[&id])?;
    Ok(())
}

/// The place of the one that is furthest behind of those with a place of their own.
pub(crate) fn lowest_detached(tx: &Tx<'_>) -> Result<Option<i64>, Fault> {
    tx.query_one(
        "SELECT MIN(position) FROM progress WHERE attached = 0",
        &[],
        |row| row.get(0),
    )
}

/// Those with a place of their own that lies before a position.
pub(crate) fn detached_before(
    tx: &Tx<'_>,
    position: i64,
    limit: usize,
) -> Result<Vec<(SubscriptionId, i64)>, Fault> {
    tx.query_all(
        "SELECT subscription, position FROM progress WHERE attached = 0 AND position < ?1
         ORDER BY position LIMIT ?2",
        &[&position, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub(crate) fn set_position(tx: &Tx<'_>, id: SubscriptionId, position: i64) -> Result<(), Fault> {
    tx.execute_one(
        "progress",
        "UPDATE progress SET position = ?2 WHERE subscription = ?1",
        &[&id, &position],
    )
}

fn progress(row: &Row<'_>) -> Result<Progress, Fault> {
    Ok(Progress {
        position: row.get(0)?,
        attached: row.get(1)?,
        share: row.get(2)?,
        failing_since: row.get(3)?,
    })
}
