//! All SQL that writes, a module per table, and the reads that commands need.

pub(crate) mod attempt;
pub(crate) mod ledger;
pub(crate) mod notice;
pub(crate) mod payment;
pub(crate) mod refund;

use pasar_store::fault::Fault;

/// Reads a word of a closed list as it stands in a column.
pub(crate) fn word<T: Copy>(
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
    text: &str,
) -> Result<T, Fault> {
    all.iter()
        .copied()
        .find(|value| as_str(*value) == text)
        .ok_or_else(|| Fault::Corrupt(format!("unknown word {text:?}")))
}
