//! What a lane tidies between groups: outcomes that nobody may ask for again.

use pasar_types::time::Timestamp;

use crate::{fault::Fault, idempotency, tx::Tx};

const ROWS_A_SWEEP: i64 = 1_000;

/// One bounded step; returns whether more is left.
pub(crate) fn step(tx: &Tx<'_>, now: Timestamp) -> Result<bool, Fault> {
    let pruned = idempotency::prune(tx, now, ROWS_A_SWEEP)?;
    Ok(i64::try_from(pruned).is_ok_and(|pruned| pruned == ROWS_A_SWEEP))
}
