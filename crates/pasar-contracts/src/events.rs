//! A module per publisher. Ids and facts, no personal data.

pub mod inventory;
pub mod orders;
pub mod payments;
pub mod relay;
pub mod users;
