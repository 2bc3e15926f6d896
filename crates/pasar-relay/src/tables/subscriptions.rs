//! Rows of `subscription`.

use pasar_contracts::api::relay::{DisableReason, SubscriptionState};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
    value::Json,
};
use pasar_types::id::SubscriptionId;

use crate::subscription::Stored;

pub(crate) fn insert(tx: &Tx<'_>, stored: &Stored) -> Result<(), Fault> {
    tx.execute(
        "INSERT INTO subscription (id, owner, state, disabled_because, spec, secrets, secret_places,
                                   declared, created_at, version, keyversion)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        &[
            &stored.id,
            &stored.owner,
            &state_word(stored.state),
            &stored.disabled_because.map(reason_word),
            &Json(&stored.input),
            &stored.sealed,
            &Json(&stored.secret_places),
            &stored.declared,
            &stored.created_at,
            &stored.version,
            &stored.keyversion,
        ],
    )?;
    Ok(())
}

/// Stores a change of what was read with the version before.
pub(crate) fn update(tx: &Tx<'_>, stored: &Stored) -> Result<(), Fault> {
    tx.execute_one(
        "subscription",
        "UPDATE subscription SET state = ?2, disabled_because = ?3, spec = ?4, secrets = ?5,
                                 secret_places = ?6, version = ?7, keyversion = ?8
         WHERE id = ?1 AND version = ?7 - 1",
        &[
            &stored.id,
            &state_word(stored.state),
            &stored.disabled_because.map(reason_word),
            &Json(&stored.input),
            &stored.sealed,
            &Json(&stored.secret_places),
            &stored.version,
            &stored.keyversion,
        ],
    )
}

/// Counts an event about the subscription; answers its version.
pub(crate) fn next_keyversion(tx: &Tx<'_>, id: SubscriptionId) -> Result<i64, Fault> {
    tx.execute_one(
        "subscription",
        "UPDATE subscription SET keyversion = keyversion + 1 WHERE id = ?1",
        &[&id],
    )?;
    tx.query_one(
        "SELECT keyversion FROM subscription WHERE id = ?1",
        &[&id],
        |row| row.get(0),
    )
}

pub(crate) fn delete(tx: &Tx<'_>, id: SubscriptionId) -> Result<(), Fault> {
    tx.execute_one(
        "subscription",
        "DELETE FROM subscription WHERE id = ?1",
        &[&id],
    )
}

pub(crate) fn find(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<Stored>, Fault> {
    tx.query_opt(
        "SELECT id, owner, state, disabled_because, spec, secrets, secret_places, declared, created_at,
                version, keyversion
         FROM subscription WHERE id = ?1",
        &[&id],
        stored,
    )
}

/// Only the state, for commands that look at nothing else.
pub(crate) fn state(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<SubscriptionState>, Fault> {
    tx.query_opt(
        "SELECT state FROM subscription WHERE id = ?1",
        &[&id],
        |row| read_state(&row.get::<String>(0)?),
    )
}

/// Those with greater ids, of one owner or of all.
pub(crate) fn after(
    tx: &Tx<'_>,
    owner: Option<&str>,
    after: SubscriptionId,
    limit: usize,
) -> Result<Vec<Stored>, Fault> {
    tx.query_all(
        "SELECT id, owner, state, disabled_because, spec, secrets, secret_places, declared, created_at,
                version, keyversion
         FROM subscription WHERE id > ?1 AND (owner = ?2 OR ?2 IS NULL) ORDER BY id LIMIT ?3",
        &[&after, &owner, &i64::try_from(limit).unwrap_or(i64::MAX)],
        stored,
    )
}

pub(crate) fn declared(tx: &Tx<'_>, limit: usize) -> Result<Vec<Stored>, Fault> {
    tx.query_all(
        "SELECT id, owner, state, disabled_because, spec, secrets, secret_places, declared, created_at,
                version, keyversion
         FROM subscription WHERE declared IS NOT NULL ORDER BY declared LIMIT ?1",
        &[&i64::try_from(limit).unwrap_or(i64::MAX)],
        stored,
    )
}

pub(crate) fn count(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT COUNT(*) FROM subscription", &[], |row| row.get(0))
}

fn stored(row: &Row<'_>) -> Result<Stored, Fault> {
    let reason: Option<String> = row.get(3)?;
    Ok(Stored {
        id: row.get(0)?,
        owner: row.get(1)?,
        state: read_state(&row.get::<String>(2)?)?,
        disabled_because: reason.as_deref().map(read_reason).transpose()?,
        input: row.json(4)?,
        sealed: row.get(5)?,
        secret_places: row.json(6)?,
        declared: row.get(7)?,
        created_at: row.get(8)?,
        version: row.get(9)?,
        keyversion: row.get(10)?,
    })
}

const fn state_word(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::Active => "active",
        SubscriptionState::Paused => "paused",
        SubscriptionState::Disabled => "disabled",
    }
}

fn read_state(word: &str) -> Result<SubscriptionState, Fault> {
    match word {
        "active" => Ok(SubscriptionState::Active),
        "paused" => Ok(SubscriptionState::Paused),
        "disabled" => Ok(SubscriptionState::Disabled),
        other => Err(Fault::Corrupt(format!("unknown state {other:?}"))),
    }
}

const fn reason_word(reason: DisableReason) -> &'static str {
    match reason {
        DisableReason::Gone => "gone",
        DisableReason::Failing => "failing",
    }
}

fn read_reason(word: &str) -> Result<DisableReason, Fault> {
    match word {
        "gone" => Ok(DisableReason::Gone),
        "failing" => Ok(DisableReason::Failing),
        other => Err(Fault::Corrupt(format!("unknown reason {other:?}"))),
    }
}
