//! All SQL of `sandbox.db`.

use pasar_contracts::api::payments::{ProviderAnswer, RefundState};
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{
    id::{PaymentId, RefundId},
    money::Money,
};

use super::charge::{Action, Behaviour, Charge, State};
use crate::tables::word;

/// A refund that was decided: refused if there is a reason.
pub(super) struct Refund {
    pub(super) reason: Option<String>,
}

macro_rules! columns {
    () => {
        "reference, token, state, amount_minor, currency, reason, authorizations, authorize_key,
         captures, capture_key, captured_minor, refunded_minor, action_secret, action_expires_at"
    };
}

pub(super) fn find(tx: &Tx<'_>, reference: PaymentId) -> Result<Option<Charge>, Fault> {
    tx.query_opt(
        concat!("SELECT ", columns!(), " FROM charge WHERE reference = ?1"),
        &[&reference],
        read,
    )
}

pub(super) fn after(
    tx: &Tx<'_>,
    after: Option<PaymentId>,
    limit: usize,
) -> Result<Vec<Charge>, Fault> {
    let after: Vec<u8> = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    tx.query_all(
        concat!(
            "SELECT ",
            columns!(),
            " FROM charge WHERE reference > ?1 ORDER BY reference LIMIT ?2"
        ),
        &[&after, &i64::try_from(limit).unwrap_or(i64::MAX)],
        read,
    )
}

pub(super) fn insert(ctx: &mut Context<'_>, charge: &Charge) -> Result<(), Fault> {
    ctx.execute_one(
        "charge",
        concat!(
            "INSERT INTO charge (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        ),
        &[
            &charge.reference,
            &charge.behaviour.as_str(),
            &charge.state.as_str(),
            &charge.amount.amount_minor,
            &charge.amount.currency,
            &charge.reason,
            &charge.authorizations,
            &charge.authorize_key,
            &charge.captures,
            &charge.capture_key,
            &charge.captured_minor,
            &charge.refunded_minor,
            &charge.action.map(|action| action.secret),
            &charge.action.map(|action| action.expires_at),
        ],
    )
}

pub(super) fn update(ctx: &mut Context<'_>, charge: &Charge) -> Result<(), Fault> {
    ctx.execute_one(
        "charge",
        "UPDATE charge
         SET state = ?2, reason = ?3, authorizations = ?4, authorize_key = ?5, captures = ?6,
             capture_key = ?7, captured_minor = ?8, refunded_minor = ?9
         WHERE reference = ?1",
        &[
            &charge.reference,
            &charge.state.as_str(),
            &charge.reason,
            &charge.authorizations,
            &charge.authorize_key,
            &charge.captures,
            &charge.capture_key,
            &charge.captured_minor,
            &charge.refunded_minor,
        ],
    )
}

pub(super) fn find_refund(
    tx: &Tx<'_>,
    reference: PaymentId,
    id: RefundId,
) -> Result<Option<Refund>, Fault> {
    tx.query_opt(
        "SELECT reason FROM charge_refund WHERE reference = ?1 AND refund_id = ?2",
        &[&reference, &id],
        |row| {
            Ok(Refund {
                reason: row.get(0)?,
            })
        },
    )
}

pub(super) fn insert_refund(
    ctx: &mut Context<'_>,
    reference: PaymentId,
    id: RefundId,
    amount_minor: i64,
    refund: &Refund,
) -> Result<(), Fault> {
    let state = match refund.reason {
        Some(_) => RefundState::Failed,
        None => RefundState::Succeeded,
    };
    ctx.execute_one(
        "charge_refund",
        "INSERT INTO charge_refund (reference, refund_id, state, amount_minor, reason)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            &reference,
            &id,
            &state.as_str(),
            &amount_minor,
            &refund.reason,
        ],
    )
}

impl Refund {
    pub(super) fn into_answer(self) -> ProviderAnswer {
        match self.reason {
            Some(reason) => ProviderAnswer::Declined { reason },
            None => ProviderAnswer::Refunded,
        }
    }
}

fn read(row: &Row<'_>) -> Result<Charge, Fault> {
    let secret: Option<[u8; 16]> = row.get(12)?;
    let action = match (secret, row.get(13)?) {
        (Some(secret), Some(expires_at)) => Some(Action { secret, expires_at }),
        _ => None,
    };
    Ok(Charge {
        reference: row.get(0)?,
        behaviour: word(Behaviour::ALL, Behaviour::as_str, &row.get::<String>(1)?)?,
        state: word(State::ALL, State::as_str, &row.get::<String>(2)?)?,
        amount: Money::new(row.get(3)?, row.get(4)?),
        reason: row.get(5)?,
        authorizations: row.get(6)?,
        authorize_key: row.get(7)?,
        captures: row.get(8)?,
        capture_key: row.get(9)?,
        captured_minor: row.get(10)?,
        refunded_minor: row.get(11)?,
        action,
    })
}
