//! The audit trail: appended to in the transaction of what it tells about.

use std::time::Duration;

use pasar_contracts::api::users::{AuditAction, AuditDetails, AuditEntry};
use pasar_store::{context::Context, fault::Fault, tx::Row, value::Json};
use pasar_types::{
    id::{AuditEntryId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, de::value::StrDeserializer};

use crate::source::Origin;

/// Appends a line. Who did it is the command's actor.
pub(crate) fn record(
    ctx: &mut Context<'_>,
    action: AuditAction,
    user: Option<UserId>,
    origin: &Origin,
    details: AuditDetails,
) -> Result<(), Fault> {
    let id: AuditEntryId = ctx.new_id();
    let actor = ctx.cause().actor.to_string();
    ctx.execute_one(
        "audit entry",
        "INSERT INTO audit (id, at, actor, action, user_id, source, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            &id,
            &ctx.now(),
            &actor,
            &word(action)?,
            &user,
            &origin.source,
            &Json(details),
        ],
    )
}

/// Takes away where what is told about a user came from.
pub(crate) fn scrub(ctx: &Context<'_>, user: UserId) -> Result<(), Fault> {
    ctx.execute(
        "UPDATE audit SET source = NULL WHERE user_id = ?1",
        &[&user],
    )?;
    Ok(())
}

/// Deletes lines that are older than a time; returns how many.
pub(crate) fn delete_older(ctx: &Context<'_>, than: Timestamp, limit: u32) -> Result<u64, Fault> {
    ctx.execute(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ?1 ORDER BY id LIMIT ?2)",
        &[&first_id_of(than), &limit],
    )
}

/// Less than any id made at that time or later: ids begin with the time in milliseconds (RFC 9562).
fn first_id_of(time: Timestamp) -> AuditEntryId {
    let millis = Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0)).as_millis();
    AuditEntryId::from_bytes((millis << 80).to_be_bytes())
}

pub(crate) fn read(row: &Row<'_>) -> Result<AuditEntry, Fault> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: action(&row.get::<String>(3)?)?,
        user_id: row.get(4)?,
        source: row.get(5)?,
        details: row.json(6)?,
    })
}

fn word(action: AuditAction) -> Result<String, Fault> {
    match serde_json::to_value(action) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(Fault::Bug("an audit action is a word".to_owned())),
    }
}

fn action(word: &str) -> Result<AuditAction, Fault> {
    AuditAction::deserialize(StrDeserializer::<serde::de::value::Error>::new(word))
        .map_err(|error| Fault::Corrupt(error.to_string()))
}
