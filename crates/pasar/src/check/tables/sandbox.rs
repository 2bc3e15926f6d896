//! The sandbox's books.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::id::PaymentId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Charge {
    pub(in crate::check) state: String,
    pub(in crate::check) amount: i64,
    pub(in crate::check) currency: String,
    /// Calls under different idempotency keys that took effect.
    pub(in crate::check) authorizations: i64,
    pub(in crate::check) captures: i64,
    pub(in crate::check) captured: i64,
    pub(in crate::check) refunded: i64,
}

pub(in crate::check) fn charge(tx: &Tx<'_>, id: PaymentId) -> Result<Option<Charge>, Fault> {
    tx.query_opt(
        "SELECT state, amount_minor, currency, authorizations, captures, captured_minor,
                refunded_minor
         FROM charge WHERE reference = ?1",
        &[&id],
        |row| {
            Ok(Charge {
                state: row.get(0)?,
                amount: row.get(1)?,
                currency: row.get(2)?,
                authorizations: row.get(3)?,
                captures: row.get(4)?,
                captured: row.get(5)?,
                refunded: row.get(6)?,
            })
        },
    )
}

pub(in crate::check) fn references(
    tx: &Tx<'_>,
    after: PaymentId,
    limit: i64,
) -> Result<Vec<PaymentId>, Fault> {
    tx.query_all(
        "SELECT reference FROM charge WHERE reference > ?1 ORDER BY reference LIMIT ?2",
        &[&after, &limit],
        |row| row.get(0),
    )
}
