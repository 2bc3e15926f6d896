//! Rows of `nudge`: subscriptions that the instance which delivers has to look at anew. There are some only where
//! several instances share the database.

use pasar_store::{context::Context, fault::Fault, tx::Tx};
use pasar_types::id::SubscriptionId;

use super::shares;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nudge {
    pub(crate) subscription: SubscriptionId,
    number: i64,
}

/// Tells whoever delivers that a subscription was changed.
pub(crate) fn nudge(ctx: &mut Context<'_>, id: SubscriptionId) -> Result<(), Fault> {
    if !ctx.is_shared() {
        return Ok(());
    }
    ctx.execute(
        "INSERT INTO nudge (subscription, number, share) VALUES (?1, 1, ?2)
         ON CONFLICT (subscription) DO UPDATE SET number = nudge.number + 1",
        &[&id, &shares::of(id, shares::count(ctx)?)],
    )?;
    ctx.tell_others();
    Ok(())
}

/// Of one share.
pub(crate) fn some(tx: &Tx<'_>, share: i64, limit: usize) -> Result<Vec<Nudge>, Fault> {
    tx.query_all(
        "SELECT subscription, number FROM nudge WHERE share = ?1 ORDER BY subscription LIMIT ?2",
        &[&share, &i64::try_from(limit).unwrap_or(i64::MAX)],
        |row| {
            Ok(Nudge {
                subscription: row.get(0)?,
                number: row.get(1)?,
            })
        },
    )
}

/// Takes away one that was heeded, unless it was nudged again since.
pub(crate) fn heeded(tx: &Tx<'_>, nudge: Nudge) -> Result<(), Fault> {
    tx.execute(
        "DELETE FROM nudge WHERE subscription = ?1 AND number = ?2",
        &[&nudge.subscription, &nudge.number],
    )?;
    Ok(())
}
