//! What tests of one service need: a store, a clock that is moved by hand, identities, foreign feeds,
//! a client over a router, and the other ends of the network as real servers and processes.
//!
//! It knows no service. Tests of the whole system live in the `pasar` crate.

pub mod check;
pub mod client;
#[cfg(feature = "brokers")]
pub mod ends;
pub mod feed;
pub mod fresh;
pub mod grpc;
pub mod host;
pub mod identities;
pub mod names;
pub mod needed;
pub mod open_files;
pub mod probe;
pub mod process;
pub mod receiver;
pub mod rows;
pub mod servers;
pub mod sse;
pub mod store;
