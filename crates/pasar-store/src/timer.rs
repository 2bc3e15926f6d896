//! Timers as rows: set and cancelled in the transaction of what they are about, so they survive a restart.

use pasar_types::time::Timestamp;

use crate::{context::Context, fault::Fault, tx::Tx};

/// A deadline. The three parts together name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub due: Timestamp,
    pub kind: String,
    pub key: String,
}

impl Context<'_> {
    pub fn set_timer(
        &mut self,
        kind: &'static str,
        key: &str,
        due: Timestamp,
    ) -> Result<(), Fault> {
        self.execute_later(
            "INSERT INTO timer (key, kind, due) VALUES (?1, ?2, ?3)
             ON CONFLICT (due, kind, key) DO NOTHING",
            &[&key, &kind, &due],
        )?;
        let earliest = self
            .pending
            .earliest_timer
            .map_or(due, |earliest| earliest.min(due));
        self.pending.earliest_timer = Some(earliest);
        Ok(())
    }

    /// Takes a timer away, if it is there.
    pub fn drop_timer(&mut self, kind: &str, key: &str, due: Timestamp) -> Result<(), Fault> {
        self.execute_later(
            "DELETE FROM timer WHERE key = ?1 AND kind = ?2 AND due = ?3",
            &[&key, &kind, &due],
        )
    }

    /// Takes a timer away; false if it is not there (any more).
    pub fn cancel_timer(&mut self, kind: &str, key: &str, due: Timestamp) -> Result<bool, Fault> {
        self.execute(
            "DELETE FROM timer WHERE due = ?1 AND kind = ?2 AND key = ?3",
            &[&due, &kind, &key],
        )
        .map(|rows| rows == 1)
    }
}

pub(crate) fn due(tx: &Tx<'_>, now: Timestamp, limit: usize) -> Result<Vec<Timer>, Fault> {
    tx.query_all(
        "SELECT due, kind, key FROM timer WHERE due <= ?1 ORDER BY due, kind, key LIMIT ?2",
        &[&now, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            Ok(Timer {
                due: row.get(0)?,
                kind: row.get(1)?,
                key: row.get(2)?,
            })
        },
    )
}

pub(crate) fn next_due(tx: &Tx<'_>) -> Result<Option<Timestamp>, Fault> {
    tx.query_opt("SELECT due FROM timer ORDER BY due LIMIT 1", &[], |row| {
        row.get(0)
    })
}
