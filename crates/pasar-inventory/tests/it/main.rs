//! The service as a whole: over HTTP, behind a real orders feed, under threads, against a model.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod catalogue;
mod expiry;
mod grpc;
mod levels;
mod model;
mod races;
mod redelivery;
mod system;
