//! The tools, tried on a service of three columns.

#![expect(
    clippy::unwrap_used,
    reason = "what a test prepares must not fail, and its line says what did"
)]

mod command_tests;
mod other_ends;
mod reactions;
mod thing;
