//! Payments, their refunds and the ledger.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::id::{LedgerTransactionId, PaymentId, RefundId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Payment {
    pub(in crate::check) id: PaymentId,
    pub(in crate::check) method: String,
    pub(in crate::check) amount: i64,
    pub(in crate::check) currency: String,
    pub(in crate::check) state: String,
    /// Why it was declined.
    pub(in crate::check) reason: Option<String>,
    /// The operation that an effect asks of the provider.
    pub(in crate::check) in_flight: Option<String>,
    pub(in crate::check) captured: i64,
    pub(in crate::check) refunded: i64,
    pub(in crate::check) refunding: i64,
}

pub(in crate::check) struct Entry {
    pub(in crate::check) sequence: i64,
    pub(in crate::check) transaction: LedgerTransactionId,
    pub(in crate::check) account: String,
    pub(in crate::check) amount: i64,
    pub(in crate::check) currency: String,
    pub(in crate::check) payment: PaymentId,
    pub(in crate::check) refund: Option<RefundId>,
}

pub(in crate::check) fn payment(tx: &Tx<'_>, id: PaymentId) -> Result<Option<Payment>, Fault> {
    tx.query_opt(
        "SELECT id, method, amount_minor, currency, state, reason, in_flight,
                captured_minor, refunded_minor, refunding_minor
         FROM payment WHERE id = ?1",
        &[&id],
        read_payment,
    )
}

pub(in crate::check) fn payments(
    tx: &Tx<'_>,
    after: PaymentId,
    limit: i64,
) -> Result<Vec<Payment>, Fault> {
    tx.query_all(
        "SELECT id, method, amount_minor, currency, state, reason, in_flight,
                captured_minor, refunded_minor, refunding_minor
         FROM payment WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[&after, &limit],
        read_payment,
    )
}

/// 0 for an empty ledger.
pub(in crate::check) fn last_entry(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COALESCE(MAX(sequence), 0) FROM ledger_entry",
        &[],
        |row| row.get(0),
    )
}

pub(in crate::check) fn entries(
    tx: &Tx<'_>,
    after: i64,
    upto: i64,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    tx.query_all(
        "SELECT sequence, transaction_id, account, amount_minor, currency, payment_id, refund_id
         FROM ledger_entry WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3",
        &[&after, &upto, &limit],
        |row| {
            Ok(Entry {
                sequence: row.get(0)?,
                transaction: row.get(1)?,
                account: row.get(2)?,
                amount: row.get(3)?,
                currency: row.get(4)?,
                payment: row.get(5)?,
                refund: row.get(6)?,
            })
        },
    )
}

fn read_payment(row: &Row<'_>) -> Result<Payment, Fault> {
    Ok(Payment {
        id: row.get(0)?,
        method: row.get(1)?,
        amount: row.get(2)?,
        currency: row.get(3)?,
        state: row.get(4)?,
        reason: row.get(5)?,
        in_flight: row.get(6)?,
        captured: row.get(7)?,
        refunded: row.get(8)?,
        refunding: row.get(9)?,
    })
}

pub(in crate::check) fn ids(
    tx: &Tx<'_>,
    after: PaymentId,
    limit: i64,
) -> Result<Vec<PaymentId>, Fault> {
    tx.query_all(
        "SELECT id FROM payment WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[&after, &limit],
        |row| row.get(0),
    )
}
