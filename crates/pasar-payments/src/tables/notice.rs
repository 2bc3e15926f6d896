//! Rows of `notice`: what providers told, each once, kept as long as a dispute may need it.

use std::time::Duration;

use pasar_contracts::api::payments::ProviderNotice;
use pasar_store::{context::Context, fault::Fault, value::Json};

const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
const PRUNED_AT_ONCE: i64 = 100;

/// Stores a notice; false if it was told before.
pub(crate) fn insert(
    ctx: &mut Context<'_>,
    provider: &str,
    id: &str,
    notice: &ProviderNotice,
) -> Result<bool, Fault> {
    let now = ctx.now();
    ctx.execute(
        "INSERT INTO notice (provider, id, reference, refund_id, answer, matched, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
         ON CONFLICT (provider, id) DO NOTHING",
        &[
            &provider,
            &id,
            &notice.reference,
            &notice.refund_id,
            &Json(&notice.answer),
            &now,
        ],
    )
    .map(|rows| rows == 1)
}

/// Notes that a notice concerned a payment of ours.
pub(crate) fn mark_matched(ctx: &mut Context<'_>, provider: &str, id: &str) -> Result<(), Fault> {
    ctx.execute_one(
        "notice",
        "UPDATE notice SET matched = 1 WHERE provider = ?1 AND id = ?2",
        &[&provider, &id],
    )
}

/// Forgets what is too old to matter, a bounded number at a time.
pub(crate) fn prune(ctx: &mut Context<'_>) -> Result<(), Fault> {
    let before = ctx.now() - KEPT;
    ctx.execute(
        "DELETE FROM notice WHERE (provider, id) IN
             (SELECT provider, id FROM notice WHERE received_at < ?1
              ORDER BY received_at LIMIT ?2)",
        &[&before, &PRUNED_AT_ONCE],
    )
    .map(|_| ())
}
