//! The store from outside: what stands after a group, a fault, a race and a reopening.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod bench_db;
mod deferred;
mod feed_order;
mod followers;
mod fresh;
mod groups;
mod idempotency;
mod inspection;
mod leases;
mod lineage;
mod members;
mod merged;
mod races;
mod server;
mod server_losses;
mod timers_effects;
mod trimming;
mod wires;
