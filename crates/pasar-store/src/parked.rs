//! Events that could not be taken and wait, with all later ones of their key, until their cause is mended; and giving
//! them up.

use pasar_contracts::event::Service;
use pasar_types::time::Timestamp;

use crate::{
    fault::Fault,
    feed::FeedEvent,
    lane::{Answer, Class, LaneKey},
    store::Store,
    tx::Tx,
};

/// One that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    pub publisher: Service,
    pub event: FeedEvent,
    /// What was wrong when it was tried first.
    pub fault: String,
    pub since: Timestamp,
}

/// Those with a key, or all; of each publisher the oldest first. One that concerns several lanes is there once.
pub fn list(tx: &Tx<'_>, key: Option<&str>) -> Result<Vec<Parked>, Fault> {
    let mut all = tx.query_all(
        "SELECT publisher, event, fault, parked_at FROM parked
         WHERE ?1 IS NULL OR key = ?1 ORDER BY publisher, sequence, lane",
        &[&key],
        |row| {
            Ok(Parked {
                publisher: row.get(0)?,
                event: row.json(1)?,
                fault: row.get(2)?,
                since: row.get(3)?,
            })
        },
    )?;
    all.dedup_by(|a, b| (a.publisher, a.event.sequence) == (b.publisher, b.event.sequence));
    Ok(all)
}

impl Store {
    /// Gives up all events of a key that wait: they are never taken. Answers which they were.
    pub fn give_up_parked(&self, key: &str) -> Answer<Vec<Parked>> {
        let key = key.to_owned();
        self.write(
            LaneKey::ZERO,
            Class::Internal,
            self.own_cause(),
            move |ctx| {
                let given_up = list(ctx, Some(&key))?;
                ctx.execute("DELETE FROM parked WHERE key = ?1", &[&key])?;
                Ok(given_up)
            },
        )
    }
}
