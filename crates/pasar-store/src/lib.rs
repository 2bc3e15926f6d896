//! One transaction and all that it may touch: rows, lanes with group commit, the outbox that is the
//! feed, follower positions, idempotency, timers, effects and leases, over SQLite or PostgreSQL.
//!
//! Synchronous, and it knows no runtime. Nothing outside this crate knows the engine.

pub mod backup;
pub mod cause;
pub mod clock;
pub mod context;
pub mod crash;
pub mod effect;
pub mod fault;
pub mod feed;
pub mod follower;
pub mod idempotency;
pub mod ids;
pub mod inspect;
pub mod lane;
pub mod lease;
pub mod lineage;
pub mod member;
pub mod parked;
pub mod place;
pub mod scratch;
pub mod snapshot;
pub mod store;
pub mod timer;
pub mod trimming;
pub mod tx;
pub mod value;

mod checkpoint;
mod engine;
mod group;
mod lanes;
mod migration;
mod published;
mod readers;
mod recent;
mod sweep;
mod watcher;
