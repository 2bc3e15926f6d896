//! API models: what is sent and answered, a module per service. Requests refuse unknown fields.

pub mod feeds;
pub mod flows;
pub mod inventory;
pub mod orders;
pub mod page;
pub mod payments;
pub mod relay;
pub mod services;
pub mod users;
