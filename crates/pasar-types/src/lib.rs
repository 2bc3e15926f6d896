//! The values every crate of Pasar shares: ids, money, quantities, SKUs and times.
//!
//! Pure data with serde. Nothing here reads a clock, draws randomness or does I/O.

pub mod id;
pub mod money;
pub mod quantity;
pub mod sku;
pub mod time;
