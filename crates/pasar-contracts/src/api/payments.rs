//! Payments and the ledger as staff read them.
