//! Timers, effects and the HTTP server, each with a store or a socket of its own.

#![expect(
    clippy::unwrap_used,
    reason = "what a test prepares must not fail, and its line says what did"
)]

mod duty;
mod effects;
mod feeds;
mod grpc_health;
mod host;
mod http;
mod requests;
mod sharing;
mod timers;
