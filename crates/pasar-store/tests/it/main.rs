//! The store from outside: what stands after a group, a fault, a race and a reopening.

mod bench_db;
mod followers;
mod groups;
mod idempotency;
mod inspection;
mod races;
mod timers_effects;
