//! Rows of `refund`.

use pasar_contracts::api::payments::RefundState;
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{
    id::{PaymentId, RefundId},
    time::Timestamp,
};

use super::word;

/// One refund as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: RefundId,
    pub(crate) amount_minor: i64,
    pub(crate) state: RefundState,
    pub(crate) reason: Option<String>,
    pub(crate) requested_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

/// Adds a refund; false if it is known already.
pub(crate) fn insert(
    ctx: &mut Context<'_>,
    payment: PaymentId,
    refund: &Refund,
) -> Result<bool, Fault> {
    ctx.execute(
        "INSERT INTO refund (payment_id, id, amount_minor, state, reason, requested_at, ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (payment_id, id) DO NOTHING",
        &[
            &payment,
            &refund.id,
            &refund.amount_minor,
            &refund.state.as_str(),
            &refund.reason,
            &refund.requested_at,
            &refund.ended_at,
        ],
    )
    .map(|rows| rows == 1)
}

pub(crate) fn find(tx: &Tx<'_>, payment: PaymentId, id: RefundId) -> Result<Option<Refund>, Fault> {
    tx.query_opt(
        "SELECT id, amount_minor, state, reason, requested_at, ended_at
         FROM refund WHERE payment_id = ?1 AND id = ?2",
        &[&payment, &id],
        read,
    )
}

/// The refund that is to be asked of the provider next.
pub(crate) fn oldest_requested(tx: &Tx<'_>, payment: PaymentId) -> Result<Option<Refund>, Fault> {
    tx.query_opt(
        "SELECT id, amount_minor, state, reason, requested_at, ended_at
         FROM refund WHERE payment_id = ?1 AND state = 'requested'
         ORDER BY requested_at, id LIMIT 1",
        &[&payment],
        read,
    )
}

/// How a refund ended.
pub(crate) fn end(
    ctx: &mut Context<'_>,
    payment: PaymentId,
    id: RefundId,
    state: RefundState,
    reason: Option<&str>,
) -> Result<(), Fault> {
    let now = ctx.now();
    ctx.execute_one(
        "refund",
        "UPDATE refund SET state = ?3, reason = ?4, ended_at = ?5
         WHERE payment_id = ?1 AND id = ?2",
        &[&payment, &id, &state.as_str(), &reason, &now],
    )
}

pub(crate) fn read(row: &Row<'_>) -> Result<Refund, Fault> {
    Ok(Refund {
        id: row.get(0)?,
        amount_minor: row.get(1)?,
        state: word(
            RefundState::ALL,
            RefundState::as_str,
            &row.get::<String>(2)?,
        )?,
        reason: row.get(3)?,
        requested_at: row.get(4)?,
        ended_at: row.get(5)?,
    })
}
