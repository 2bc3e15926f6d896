//! All SQL of the check, by database. Each statement reads a bounded page or one row.

pub(super) mod feed;
pub(super) mod inventory;
pub(super) mod orders;
pub(super) mod payments;
pub(super) mod relay;
pub(super) mod row;
pub(super) mod sandbox;
