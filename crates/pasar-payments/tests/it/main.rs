//! The service as a whole: its routes, its reactions, its effects, and a provider that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod cash;
mod fake_provider;
mod http_provider;
mod instances;
mod notices;
mod properties;
mod races;
mod refunds;
mod sandbox;
mod system;
