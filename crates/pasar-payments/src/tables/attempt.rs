//! Rows of `attempt`: what went wrong, one row an operation, so that no outage fills the disk.

use pasar_contracts::api::payments::Operation;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

/// Counts one more failed try.
pub(crate) fn count(
    ctx: &mut Context<'_>,
    payment: PaymentId,
    operation: Operation,
    error: &str,
) -> Result<(), Fault> {
    let now = ctx.now();
    ctx.execute(
        "INSERT INTO attempt
             (payment_id, operation, failures, last_error, first_failed_at, last_failed_at)
         VALUES (?1, ?2, 1, ?3, ?4, ?4)
         ON CONFLICT (payment_id, operation) DO UPDATE
         SET failures = attempt.failures + 1, last_error = excluded.last_error,
             last_failed_at = excluded.last_failed_at",
        &[&payment, &operation.as_str(), &error, &now],
    )
    .map(|_| ())
}
