//! What the services say to each other and to the world: events, API models and problem types.
//!
//! Shapes only. A rule about them lives in the service that owns them; changes are additive,
//! and a golden file per event version keeps them so.

pub mod api;
pub mod asyncapi;
pub mod envelope;
pub mod event;
pub mod events;
pub mod grpc;
pub mod problem;
