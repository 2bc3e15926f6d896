//! Signing keys, their private part sealed.

use pasar_store::{context::Context, fault::Fault, tx::Tx};

use crate::signing_key::StoredKey;

pub(crate) fn insert(ctx: &Context<'_>, key: &StoredKey) -> Result<(), Fault> {
    ctx.execute_one(
        "signing key",
        "INSERT INTO signing_keys (kid, public_key, sealed_seed, created_at, signs_from)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            &key.kid,
            &key.public_key,
            &key.sealed_seed,
            &key.created_at,
            &key.signs_from,
        ],
    )
}

pub(crate) fn delete(ctx: &Context<'_>, kid: &str) -> Result<(), Fault> {
    ctx.execute_one(
        "signing key",
        "DELETE FROM signing_keys WHERE kid = ?1",
        &[&kid],
    )
}

/// All of them, in the order in which they sign. There are a handful.
pub(crate) fn all(tx: &Tx<'_>) -> Result<Vec<StoredKey>, Fault> {
    tx.query_all(
        "SELECT kid, public_key, sealed_seed, created_at, signs_from FROM signing_keys
         ORDER BY signs_from, created_at, kid LIMIT 1000",
        &[],
        |row| {
            Ok(StoredKey {
                kid: row.get(0)?,
                public_key: row.get(1)?,
                sealed_seed: row.get(2)?,
                created_at: row.get(3)?,
                signs_from: row.get(4)?,
            })
        },
    )
}
