//! All SQL that commands run. Nothing here decides: a statement's condition is its caller's rule.

pub(crate) mod locations;
pub(crate) mod movements;
pub(crate) mod products;
pub(crate) mod reservations;
pub(crate) mod stock;
