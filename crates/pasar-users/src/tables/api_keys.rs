//! API keys.

use pasar_contracts::api::users::{ApiKey, RateLimit, Role};
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
    value::Json,
};
use pasar_types::{
    id::{ApiKeyId, UserId},
    time::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: ApiKeyId,
    pub(crate) user_id: UserId,
    pub(crate) name: String,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) roles: Vec<Role>,
    pub(crate) scopes: Vec<String>,
    pub(crate) rate_limit: Option<RateLimit>,
    /// The key that asked for it, if no person did.
    pub(crate) made_by: Option<ApiKeyId>,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl ApiKeyRow {
    pub(crate) fn into_api_key(self) -> ApiKey {
        ApiKey {
            id: self.id,
            user_id: self.user_id,
            name: self.name,
            roles: self.roles,
            scopes: self.scopes,
            rate_limit: self.rate_limit,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        }
    }
}

pub(crate) fn insert(ctx: &Context<'_>, key: &ApiKeyRow) -> Result<(), Fault> {
    ctx.execute_one(
        "api key",
        "INSERT INTO api_keys (id, user_id, name, secret_hash, roles, scopes, rate_limit, made_by,
                               created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &[
            &key.id,
            &key.user_id,
            &key.name,
            &key.secret_hash,
            &Json(&key.roles),
            &Json(&key.scopes),
            &key.rate_limit.map(Json),
            &key.made_by,
            &key.created_at,
        ],
    )
}

/// Sets what a provisioned key is to be: it may have been made by an older version, or be revoked.
pub(crate) fn provision(ctx: &Context<'_>, key: &ApiKeyRow) -> Result<(), Fault> {
    ctx.execute_one(
        "api key",
        "UPDATE api_keys SET name = ?2, secret_hash = ?3, roles = ?4, scopes = ?5, rate_limit = ?6
         WHERE id = ?1 AND revoked_at IS NULL",
        &[
            &key.id,
            &key.name,
            &key.secret_hash,
            &Json(&key.roles),
            &Json(&key.scopes),
            &key.rate_limit.map(Json),
        ],
    )
}

/// Revokes a key; false if it was revoked before.
pub(crate) fn revoke(ctx: &Context<'_>, key: ApiKeyId) -> Result<bool, Fault> {
    let rows = ctx.execute(
        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        &[&key, &ctx.now()],
    )?;
    Ok(rows == 1)
}

pub(crate) fn touch(ctx: &Context<'_>, key: ApiKeyId) -> Result<(), Fault> {
    ctx.execute(
        "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1",
        &[&key, &ctx.now()],
    )?;
    Ok(())
}

/// Takes away the names that a user gave to their keys.
pub(crate) fn scrub(ctx: &Context<'_>, user: UserId) -> Result<(), Fault> {
    ctx.execute(
        "UPDATE api_keys SET name = 'deleted' WHERE user_id = ?1",
        &[&user],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKeyRow>, Fault> {
    tx.query_opt(
        "SELECT id, user_id, name, secret_hash, roles, scopes, rate_limit, made_by, created_at,
                last_used_at, revoked_at
         FROM api_keys WHERE id = ?1",
        &[&id],
        read,
    )
}

/// The keys of a user that are not revoked, oldest first.
pub(crate) fn not_revoked(tx: &Tx<'_>, user: UserId) -> Result<Vec<ApiKeyId>, Fault> {
    tx.query_all(
        "SELECT id FROM api_keys WHERE user_id = ?1 AND revoked_at IS NULL ORDER BY id LIMIT 1000",
        &[&user],
        |row| row.get(0),
    )
}

/// The keys that a key has made and that are not revoked.
pub(crate) fn made_by(tx: &Tx<'_>, user: UserId, key: ApiKeyId) -> Result<Vec<ApiKeyId>, Fault> {
    tx.query_all(
        "SELECT id FROM api_keys WHERE user_id = ?1 AND made_by = ?2 AND revoked_at IS NULL
         ORDER BY id LIMIT 1000",
        &[&user, &key],
        |row| row.get(0),
    )
}

pub(crate) fn read(row: &Row<'_>) -> Result<ApiKeyRow, Fault> {
    let rate_limit = match row.get::<Option<String>>(6)? {
        Some(_) => Some(row.json(6)?),
        None => None,
    };
    Ok(ApiKeyRow {
        id: row.get(0)?,
        user_id: row.get(1)?,
        name: row.get(2)?,
        secret_hash: row.get(3)?,
        roles: row.json(4)?,
        scopes: row.json(5)?,
        rate_limit,
        made_by: row.get(7)?,
        created_at: row.get(8)?,
        last_used_at: row.get(9)?,
        revoked_at: row.get(10)?,
    })
}
