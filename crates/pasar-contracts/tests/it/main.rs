//! The wire format stays what it was.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asyncapi;
mod generated;
mod golden;
mod samples;
