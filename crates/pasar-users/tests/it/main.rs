//! The users service over its routes, as the gateway calls them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access_tokens;
mod accounts;
mod admin;
mod api_keys;
mod grpc;
mod house;
mod logins;
mod operator;
mod permissions;
mod refresh_tokens;
mod registration;
