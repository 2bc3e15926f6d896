//! Work outside the transaction: calling the provider, and turning its answer into a command.

pub mod work;
pub mod worker;
