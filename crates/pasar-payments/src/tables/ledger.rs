//! Rows of `ledger_entry`: added, never changed.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{LedgerTransaction, RefundId};

use crate::ledger::Posting;

/// Writes both entries of a transaction in one statement.
pub(crate) fn post(ctx: &mut Context<'_>, posting: &Posting) -> Result<(), Fault> {
    let transaction = ctx.new_id::<LedgerTransaction>();
    let now = ctx.now();
    let refund: Option<RefundId> = posting.refund_id;
    ctx.execute_later(
        "INSERT INTO ledger_entry
             (transaction_id, account, amount_minor, currency, payment_id, refund_id, at)
         VALUES (?1, ?2, ?4, ?5, ?6, ?7, ?8), (?1, ?3, -?4, ?5, ?6, ?7, ?8)",
        &[
            &transaction,
            &posting.onto,
            &posting.off,
            &posting.amount.amount_minor,
            &posting.amount.currency,
            &posting.payment_id,
            &refund,
            &now,
        ],
    )
}
