//! Timers, effects and the HTTP server, each with a store or a socket of its own.

mod effects;
mod host;
mod http;
mod requests;
mod timers;
