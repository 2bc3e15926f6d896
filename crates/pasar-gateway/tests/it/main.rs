//! The gateway over real sockets, in front of services that only say what reached them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api_keys;
mod caps;
mod cookies;
mod cors;
mod drain;
mod forwarding;
mod grpc;
mod handover;
mod large_bodies;
mod pages;
mod plain;
mod pool;
mod rate_limits;
mod routing;
mod slow_clients;
mod smuggling;
mod streams;
mod support;
mod tls;
mod tokens;
mod unreadable;
