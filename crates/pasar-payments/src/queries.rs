//! Reads for the API: bounded, and without events.

use pasar_contracts::api::payments::{
    Attempt, Balance, LedgerEntry, Operation, Payment as PaymentView, PaymentDetail,
    Refund as RefundView,
};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{
    id::PaymentId,
    money::{Currency, Money},
};

use crate::{
    payment::Payment,
    tables::{self, word},
};

/// Refunds that a payment's page shows at most.
const MOST_REFUNDS: i64 = 200;

/// Payments before one, the newest first.
pub(crate) fn newest(
    tx: &Tx<'_>,
    before: Option<PaymentId>,
    limit: usize,
) -> Result<Vec<PaymentView>, Fault> {
    let before = before.unwrap_or(PaymentId::from_bytes([0xff; 16]));
    tx.query_all(
        concat!(
            "SELECT ",
            tables::payment::columns!(),
            " FROM payment WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
        ),
        &[&before, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| tables::payment::read(row).map(view),
    )
}

pub(crate) fn payment(tx: &Tx<'_>, id: PaymentId) -> Result<Option<PaymentView>, Fault> {
    Ok(tables::payment::find(tx, id)?.map(view))
}

pub(crate) fn detail(tx: &Tx<'_>, id: PaymentId) -> Result<Option<PaymentDetail>, Fault> {
    let Some(payment) = tables::payment::find(tx, id)? else {
        return Ok(None);
    };
    let currency = payment.amount.currency;
    let refunds = tx.query_all(
        "SELECT id, amount_minor, state, reason, requested_at, ended_at
         FROM refund WHERE payment_id = ?1 ORDER BY requested_at, id LIMIT ?2",
        &[&id, &MOST_REFUNDS],
        |row| {
            let refund = tables::refund::read(row)?;
            Ok(RefundView {
                id: refund.id,
                state: refund.state,
                amount: Money::new(refund.amount_minor, currency),
                reason: refund.reason,
                requested_at: refund.requested_at,
                ended_at: refund.ended_at,
            })
        },
    )?;
    let attempts = tx.query_all(
        "SELECT operation, failures, last_error, first_failed_at, last_failed_at
         FROM attempt WHERE payment_id = ?1 ORDER BY first_failed_at, operation",
        &[&id],
        attempt,
    )?;
    Ok(Some(PaymentDetail {
        payment: view(payment),
        refunds,
        attempts,
    }))
}

/// The fold of all entries. It reads the whole ledger: for people, not for polling.
pub(crate) fn balances(tx: &Tx<'_>) -> Result<Vec<Balance>, Fault> {
    tx.query_all(
        "SELECT account, currency, CAST(SUM(amount_minor) AS BIGINT), COUNT(*)
         FROM ledger_entry GROUP BY account, currency ORDER BY account, currency",
        &[],
        |row| {
            let currency: Currency = row.get(1)?;
            Ok(Balance {
                account: row.get(0)?,
                balance: Money::new(row.get(2)?, currency),
                entries: row.get(3)?,
            })
        },
    )
}

/// Entries before a place, the newest first, each with its place.
pub(crate) fn entries(
    tx: &Tx<'_>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, LedgerEntry)>, Fault> {
    tx.query_all(
        "SELECT sequence, transaction_id, account, amount_minor, currency, payment_id, refund_id, at
         FROM ledger_entry WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2",
        &[
            &before.unwrap_or(i64::MAX),
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| {
            let entry = LedgerEntry {
                transaction_id: row.get(1)?,
                account: row.get(2)?,
                amount: Money::new(row.get(3)?, row.get(4)?),
                payment_id: row.get(5)?,
                refund_id: row.get(6)?,
                at: row.get(7)?,
            };
            Ok((row.get(0)?, entry))
        },
    )
}

fn attempt(row: &Row<'_>) -> Result<Attempt, Fault> {
    Ok(Attempt {
        operation: word(Operation::ALL, Operation::as_str, &row.get::<String>(0)?)?,
        failures: row.get(1)?,
        last_error: row.get(2)?,
        first_failed_at: row.get(3)?,
        last_failed_at: row.get(4)?,
    })
}

fn view(payment: Payment) -> PaymentView {
    PaymentView {
        id: payment.id,
        order_id: payment.order_id(),
        location_id: payment.location_id,
        state: payment.state,
        amount: payment.amount,
        captured: payment.money(payment.captured_minor),
        refunded: payment.money(payment.refunded_minor),
        refunding: payment.money(payment.refunding_minor),
        in_flight: payment.in_flight,
        awaits_hand_back: payment.awaits_hand_back(),
        flow_id: payment.flow,
        created_at: payment.created_at,
        updated_at: payment.updated_at,
        authorized_at: payment.authorized_at,
        captured_at: payment.captured_at,
        method: payment.method,
        reason: payment.reason,
    }
}
