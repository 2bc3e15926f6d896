//! Sessions, and the refresh tokens that were used a moment ago.

use pasar_contracts::events::users::SessionEnd;
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{
    id::{SessionId, UserId},
    time::Timestamp,
};

use crate::source::Origin;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRow {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    pub(crate) generation: u32,
    pub(crate) token_hash: [u8; 32],
    pub(crate) started_at: Timestamp,
    pub(crate) last_refreshed_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) source: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) has_ended: bool,
}

impl SessionRow {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        !self.has_ended && now < self.expires_at
    }
}

/// A session that has just begun.
pub(crate) struct NewSession<'o> {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    pub(crate) token_hash: [u8; 32],
    pub(crate) expires_at: Timestamp,
    pub(crate) origin: &'o Origin,
}

pub(crate) fn insert(ctx: &Context<'_>, session: &NewSession<'_>) -> Result<(), Fault> {
    ctx.execute_one(
        "session",
        "INSERT INTO sessions (id, user_id, generation, token_hash, started_at, last_refreshed_at,
                               expires_at, source, user_agent)
         VALUES (?1, ?2, 0, ?3, ?4, ?4, ?5, ?6, ?7)",
        &[
            &session.id,
            &session.user_id,
            &session.token_hash,
            &ctx.now(),
            &session.expires_at,
            &session.origin.source,
            &session.origin.user_agent,
        ],
    )
}

/// Puts the successor in the place of the token of this generation.
pub(crate) fn rotate(
    ctx: &Context<'_>,
    session: &SessionRow,
    successor_hash: &[u8; 32],
    expires_at: Timestamp,
) -> Result<(), Fault> {
    ctx.execute_one(
        "session",
        "UPDATE sessions SET generation = generation + 1, token_hash = ?3, last_refreshed_at = ?4,
                             expires_at = ?5
         WHERE id = ?1 AND generation = ?2 AND ended IS NULL",
        &[
            &session.id,
            &session.generation,
            successor_hash,
            &ctx.now(),
            &expires_at,
        ],
    )
}

/// Remembers when a token was used, and forgets those whose grace was over before `until`.
pub(crate) fn supersede(
    ctx: &Context<'_>,
    session: &SessionRow,
    until: Timestamp,
) -> Result<(), Fault> {
    ctx.execute(
        "DELETE FROM superseded_tokens WHERE session_id = ?1 AND superseded_at < ?2",
        &[&session.id, &until],
    )?;
    ctx.execute_one(
        "superseded token",
        "INSERT INTO superseded_tokens (session_id, generation, superseded_at) VALUES (?1, ?2, ?3)",
        &[&session.id, &session.generation, &ctx.now()],
    )
}

pub(crate) fn superseded_at(
    tx: &Tx<'_>,
    session: SessionId,
    generation: u32,
) -> Result<Option<Timestamp>, Fault> {
    tx.query_opt(
        "SELECT superseded_at FROM superseded_tokens WHERE session_id = ?1 AND generation = ?2",
        &[&session, &generation],
        |row| row.get(0),
    )
}

/// Ends a session; false if it had ended.
pub(crate) fn end(
    ctx: &Context<'_>,
    session: SessionId,
    reason: SessionEnd,
) -> Result<bool, Fault> {
    ctx.execute(
        "DELETE FROM superseded_tokens WHERE session_id = ?1",
        &[&session],
    )?;
    let rows = ctx.execute(
        "UPDATE sessions SET ended = ?2, expires_at = ?3 WHERE id = ?1 AND ended IS NULL",
        &[&session, &word(reason), &ctx.now()],
    )?;
    Ok(rows == 1)
}

pub(crate) fn find(tx: &Tx<'_>, id: SessionId) -> Result<Option<SessionRow>, Fault> {
    tx.query_opt(
        "SELECT id, user_id, generation, token_hash, started_at, last_refreshed_at, expires_at, source,
                user_agent, ended IS NOT NULL
         FROM sessions WHERE id = ?1",
        &[&id],
        read,
    )
}

/// The sessions of a user that have not ended, oldest first.
pub(crate) fn not_ended(tx: &Tx<'_>, user: UserId) -> Result<Vec<SessionId>, Fault> {
    tx.query_all(
        "SELECT id FROM sessions WHERE user_id = ?1 AND ended IS NULL ORDER BY id LIMIT 1000",
        &[&user],
        |row| row.get(0),
    )
}

/// Sessions that are over but have not been ended.
pub(crate) fn expired(
    tx: &Tx<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(SessionId, UserId)>, Fault> {
    tx.query_all(
        "SELECT id, user_id FROM sessions WHERE expires_at <= ?1 AND ended IS NULL
         ORDER BY expires_at LIMIT ?2",
        &[&now, &limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Deletes sessions that ended before a time; returns how many.
pub(crate) fn delete_ended(ctx: &Context<'_>, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    ctx.execute(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE expires_at < ?1 AND ended IS NOT NULL
             ORDER BY expires_at LIMIT ?2)",
        &[&before, &limit],
    )
}

/// Takes away what says where and by what a user's sessions were used.
pub(crate) fn scrub(ctx: &Context<'_>, user: UserId) -> Result<(), Fault> {
    ctx.execute(
        "UPDATE sessions SET source = NULL, user_agent = NULL WHERE user_id = ?1",
        &[&user],
    )?;
    Ok(())
}

/// Whether the user has logged in from this network before.
pub(crate) fn knows_source(tx: &Tx<'_>, user: UserId, source: &str) -> Result<bool, Fault> {
    let found = tx.query_opt(
        "SELECT 1 FROM sessions WHERE user_id = ?1 AND source = ?2 LIMIT 1",
        &[&user, &source],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

pub(crate) fn read(row: &Row<'_>) -> Result<SessionRow, Fault> {
    Ok(SessionRow {
        id: row.get(0)?,
        user_id: row.get(1)?,
        generation: row.get(2)?,
        token_hash: row.get(3)?,
        started_at: row.get(4)?,
        last_refreshed_at: row.get(5)?,
        expires_at: row.get(6)?,
        source: row.get(7)?,
        user_agent: row.get(8)?,
        has_ended: row.get(9)?,
    })
}

/// How the reason stands in the column and in the audit trail.
pub(crate) const fn word(reason: SessionEnd) -> &'static str {
    match reason {
        SessionEnd::LoggedOut => "logged_out",
        SessionEnd::Revoked => "revoked",
        SessionEnd::PasswordChanged => "password_changed",
        SessionEnd::RefreshTokenReused => "refresh_token_reused",
        SessionEnd::Expired => "expired",
        SessionEnd::Displaced => "displaced",
        SessionEnd::UserDeleted => "user_deleted",
    }
}
