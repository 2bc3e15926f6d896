//! What every service stands on: boot and drain, configuration, HTTP plumbing, problem details,
//! identity, duties, timers, effects, telemetry and health.
//!
//! It knows no service and decides nothing about orders, stock or money.

pub mod cause;
pub mod config;
pub mod databases;
pub mod duty;
pub mod effects;
pub mod etag;
pub mod extract;
pub mod feed;
pub mod grpc;
pub mod handover;
pub mod health;
pub mod host;
pub mod http;
pub mod identity;
pub mod keyring;
pub mod openapi;
pub mod page;
pub mod passport;
pub mod problem;
pub mod service;
pub mod signature;
pub mod sleeper;
pub mod sse;
pub mod telemetry;
pub mod timers;
