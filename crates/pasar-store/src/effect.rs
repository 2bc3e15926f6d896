//! Effects as rows: work outside the transaction, enqueued in it. Its result comes back as a command
//! that deletes the row, which is the fence against a stale worker.

use pasar_types::{id::FlowId, time::Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cause::{Actor, Cause},
    context::Context,
    engine::sqlite,
    fault::Fault,
    tx::{Row, Tx},
};

/// A piece of work that waits or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Grows; never used twice.
    pub id: i64,
    /// One in flight per queue, in the order of ids.
    pub queue: String,
    pub kind: String,
    /// JSON text.
    pub payload: String,
    pub attempts: u32,
    /// Not before this time.
    pub due: Timestamp,
    pub flow: FlowId,
    pub actor: String,
    pub traceparent: Option<String>,
}

/// An effect that its group enqueues as it commits: so the order of ids is the order of commits, and who has
/// read up to one has missed none.
#[derive(Debug)]
pub(crate) struct NewEffect {
    pub(crate) queue: String,
    pub(crate) kind: &'static str,
    pub(crate) payload: String,
    pub(crate) due: Timestamp,
    pub(crate) flow: FlowId,
    pub(crate) actor: String,
    pub(crate) traceparent: Option<String>,
}

impl Effect {
    pub fn decode<P: DeserializeOwned>(&self) -> Result<P, Fault> {
        serde_json::from_str(&self.payload)
            .map_err(|error| Fault::Corrupt(format!("effect {} ({}): {error}", self.id, self.kind)))
    }

    /// The cause of the command that records its result.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause {
            actor: self.actor.parse().unwrap_or(Actor::Timer),
            flow: self.flow,
            causation: Some(format!("effect:{}", self.id)),
            traceparent: self.traceparent.clone(),
        }
    }
}

impl Context<'_> {
    /// Enqueues work, which gets its id at the commit.
    pub fn enqueue_effect<P: Serialize>(
        &mut self,
        queue: &str,
        kind: &'static str,
        payload: &P,
    ) -> Result<(), Fault> {
        let payload = serde_json::to_string(payload)
            .map_err(|error| Fault::Bug(format!("effect {kind} cannot be written: {error}")))?;
        // It is written with the group, and there it would take back all.
        if queue.contains('\0') {
            return Err(Fault::ZeroCharacter);
        }
        let now = self.now();
        let cause = self.cause();
        let effect = NewEffect {
            queue: queue.to_owned(),
            kind,
            payload,
            due: now,
            flow: cause.flow,
            actor: cause.actor.to_string(),
            traceparent: cause.traceparent.clone(),
        };
        self.pending.effects.push(effect);
        Ok(())
    }

    /// Ends an effect; false if somebody else ended it before.
    pub fn finish_effect(&mut self, id: i64) -> Result<bool, Fault> {
        self.execute("DELETE FROM effect WHERE id = ?1", &[&id])
            .map(|rows| rows == 1)
    }

    /// Keeps an effect for another try; false if somebody else ended it before.
    pub fn retry_effect(&mut self, id: i64, due: Timestamp, error: &str) -> Result<bool, Fault> {
        self.execute(
            "UPDATE effect SET attempts = attempts + 1, due = ?2, last_error = ?3 WHERE id = ?1",
            &[&id, &due, &error],
        )
        .map(|rows| rows == 1)
    }
}

/// On the engine that has one writer.
pub(crate) fn insert(connection: &sqlite::Connection, effects: &[NewEffect]) -> Result<(), Fault> {
    for effect in effects {
        connection.execute(
            "INSERT INTO effect (queue, kind, payload, attempts, due, flow, actor, traceparent)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)",
            &[
                &effect.queue,
                &effect.kind,
                &effect.payload,
                &effect.due,
                &effect.flow,
                &effect.actor,
                &effect.traceparent,
            ],
        )?;
    }
    Ok(())
}

pub(crate) fn after(tx: &Tx<'_>, id: i64, limit: usize) -> Result<Vec<Effect>, Fault> {
    tx.query_all(
        "SELECT id, queue, kind, payload, attempts, due, flow, actor, traceparent
         FROM effect WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[&id, &i64::try_from(limit).unwrap_or(i64::MAX)],
        effect,
    )
}

pub(crate) fn one(tx: &Tx<'_>, id: i64) -> Result<Option<Effect>, Fault> {
    tx.query_opt(
        "SELECT id, queue, kind, payload, attempts, due, flow, actor, traceparent
         FROM effect WHERE id = ?1",
        &[&id],
        effect,
    )
}

fn effect(row: &Row<'_>) -> Result<Effect, Fault> {
    Ok(Effect {
        id: row.get(0)?,
        queue: row.get(1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        attempts: row.get(4)?,
        due: row.get(5)?,
        flow: row.get(6)?,
        actor: row.get(7)?,
        traceparent: row.get(8)?,
    })
}
