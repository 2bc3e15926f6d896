//! Rows of `payment`.

use pasar_contracts::api::payments::{Operation, PaymentState};
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{id::PaymentId, money::Money};

use super::word;
use crate::payment::{Goal, Payment};

/// The columns in the order in which [`read`] takes them.
macro_rules! columns {
    () => {
        "id, location_id, flow, method, amount_minor, currency, state, goal, cancelling, in_flight,
         letting_go, captured_minor, refunded_minor, refunding_minor, reason, action_expires_at,
         refusals, resting_until, keyversion, version, created_at, updated_at, authorized_at,
         captured_at"
    };
}
pub(crate) use columns;

pub(crate) fn find(tx: &Tx<'_>, id: PaymentId) -> Result<Option<Payment>, Fault> {
    tx.query_opt(
        concat!("SELECT ", columns!(), " FROM payment WHERE id = ?1"),
        &[&id],
        read,
    )
}

/// Those of several payments that are known.
pub(crate) fn find_all(tx: &Tx<'_>, ids: &[PaymentId]) -> Result<Vec<Payment>, Fault> {
    tx.query_among(
        concat!("SELECT ", columns!(), " FROM payment WHERE id = ?1"),
        ids,
        &[],
        read,
    )
}

/// Adds a payment, of which there is none yet.
pub(crate) fn insert(ctx: &mut Context<'_>, payment: &Payment) -> Result<(), Fault> {
    ctx.execute_one(
        "payment",
        concat!(
            "INSERT INTO payment (",
            columns!(),
            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                       ?18, ?19, ?20, ?21, ?22, ?23, ?24)"
        ),
        &[
            &payment.id,
            &payment.location_id,
            &payment.flow,
            &payment.method,
            &payment.amount.amount_minor,
            &payment.amount.currency,
            &payment.state.as_str(),
            &payment.goal.as_str(),
            &payment.cancelling,
            &payment.in_flight.map(Operation::as_str),
            &payment.letting_go,
            &payment.captured_minor,
            &payment.refunded_minor,
            &payment.refunding_minor,
            &payment.reason,
            &payment.action_expires_at,
            &payment.refusals,
            &payment.resting_until,
            &payment.keyversion,
            &payment.version,
            &payment.created_at,
            &payment.updated_at,
            &payment.authorized_at,
            &payment.captured_at,
        ],
    )
}

/// Stores what may change, if nobody else changed the row since it was read.
pub(crate) fn update(ctx: &mut Context<'_>, payment: &Payment) -> Result<(), Fault> {
    let now = ctx.now();
    ctx.execute_one(
        "payment",
        "UPDATE payment
         SET state = ?3, goal = ?4, cancelling = ?5, in_flight = ?6, letting_go = ?7,
             captured_minor = ?8, refunded_minor = ?9, refunding_minor = ?10, reason = ?11,
             action_expires_at = ?12, refusals = ?13, resting_until = ?14, keyversion = ?15,
             updated_at = ?16, authorized_at = ?17, captured_at = ?18, version = version + 1
         WHERE id = ?1 AND version = ?2",
        &[
            &payment.id,
            &payment.version,
            &payment.state.as_str(),
            &payment.goal.as_str(),
            &payment.cancelling,
            &payment.in_flight.map(Operation::as_str),
            &payment.letting_go,
            &payment.captured_minor,
            &payment.refunded_minor,
            &payment.refunding_minor,
            &payment.reason,
            &payment.action_expires_at,
            &payment.refusals,
            &payment.resting_until,
            &payment.keyversion,
            &now,
            &payment.authorized_at,
            &payment.captured_at,
        ],
    )
}

pub(crate) fn read(row: &Row<'_>) -> Result<Payment, Fault> {
    let in_flight: Option<String> = row.get(9)?;
    Ok(Payment {
        id: row.get(0)?,
        location_id: row.get(1)?,
        flow: row.get(2)?,
        method: row.get(3)?,
        amount: Money::new(row.get(4)?, row.get(5)?),
        state: word(
            PaymentState::ALL,
            PaymentState::as_str,
            &row.get::<String>(6)?,
        )?,
        goal: word(Goal::ALL, Goal::as_str, &row.get::<String>(7)?)?,
        cancelling: row.get(8)?,
        in_flight: in_flight
            .map(|text| word(Operation::ALL, Operation::as_str, &text))
            .transpose()?,
        letting_go: row.get(10)?,
        captured_minor: row.get(11)?,
        refunded_minor: row.get(12)?,
        refunding_minor: row.get(13)?,
        reason: row.get(14)?,
        action_expires_at: row.get(15)?,
        refusals: row.get(16)?,
        resting_until: row.get(17)?,
        keyversion: row.get(18)?,
        version: row.get(19)?,
        created_at: row.get(20)?,
        updated_at: row.get(21)?,
        authorized_at: row.get(22)?,
        captured_at: row.get(23)?,
    })
}
