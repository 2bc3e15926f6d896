//! The same intention twice has one effect and one answer.
//!
//! The scope is (actor, command, key). The outcome is kept for 24 hours, in the transaction of what it
//! answers for. What a command is about (one reservation an order) is a unique key of its own table.

use std::{fmt, str::FromStr, time::Duration};

use pasar_types::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{context::Context, fault::Fault, tx::Tx};

/// How long an outcome is repeated.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_LENGTH: usize = 255;

/// A client's name for one intention: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

#[derive(Debug, thiserror::Error)]
#[error("expected an idempotency key of 1 to {MAX_LENGTH} visible ASCII characters")]
pub struct InvalidKey;

/// What tells one request from another: SHA-256 of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// How a command that may be repeated ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<T> {
    /// It ran now.
    Fresh(T),
    /// It ran before; this is its outcome from then.
    Repeated(T),
    /// The key was used for another request.
    KeyReused,
}

impl IdempotencyKey {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let valid = (1..=MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
            && text.trim() == text;
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidKey)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fingerprint {
    /// Each part counts with its length, so that parts do not run into each other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl Context<'_> {
    /// Runs a command unless this actor ran it before with this key; then repeats the outcome.
    pub fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        command: &'static str,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        run: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Once<T>, Fault> {
        let actor = self.cause().actor.to_string();
        let now = self.now();
        let kept = self.query_opt(
            "SELECT fingerprint, outcome FROM idempotency
             WHERE actor = ?1 AND command = ?2 AND key = ?3 AND kept_until > ?4",
            &[&actor, &command, &key.as_str(), &now],
            |row| Ok((row.get::<[u8; 32]>(0)?, row.get::<String>(1)?)),
        )?;
        if let Some((before, outcome)) = kept {
            if before != fingerprint.0 {
                return Ok(Once::KeyReused);
            }
            return serde_json::from_str(&outcome)
                .map(Once::Repeated)
                .map_err(|error| Fault::Corrupt(format!("outcome of {command}: {error}")));
        }
        let outcome = run(self)?;
        let text = serde_json::to_string(&outcome)
            .map_err(|error| Fault::Bug(format!("outcome of {command}: {error}")))?;
        // Nothing is kept where the same was asked in another lane at the same time, and has its outcome since.
        self.execute_one(
            "the idempotency key",
            "INSERT INTO idempotency (actor, command, key, fingerprint, outcome, kept_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (actor, command, key) DO UPDATE
             SET fingerprint = excluded.fingerprint, outcome = excluded.outcome,
                 kept_until = excluded.kept_until
             WHERE idempotency.kept_until <= ?7",
            &[
                &actor,
                &command,
                &key.as_str(),
                &fingerprint.0,
                &text,
                &(now + KEPT),
                &now,
            ],
        )?;
        Ok(Once::Fresh(outcome))
    }
}

/// Forgets outcomes past their time; returns how many.
pub(crate) fn prune(tx: &Tx<'_>, now: Timestamp, limit: i64) -> Result<u64, Fault> {
    tx.execute(
        "DELETE FROM idempotency WHERE (actor, command, key) IN
             (SELECT actor, command, key FROM idempotency WHERE kept_until <= ?1
              ORDER BY kept_until LIMIT ?2)",
        &[&now, &limit],
    )
}
