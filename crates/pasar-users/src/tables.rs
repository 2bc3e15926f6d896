//! All SQL that writes, a module per table, and the reads that commands need.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod users;
