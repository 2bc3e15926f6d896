//! The service as others meet it: over HTTP, between two feeds that the tests hold in their hands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod board;
mod boot;
mod counter;
mod grpc;
mod instances;
mod moves;
mod place;
mod read;
mod redelivery;
mod refunds;
mod stream;
mod watch;
