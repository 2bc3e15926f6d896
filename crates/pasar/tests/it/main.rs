//! The whole system from outside: the real program, over HTTP, with databases of its own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it did"
)]

mod api;
mod backup;
mod chaos;
mod check_rules;
mod closed_output;
mod crash;
mod demo;
mod documents;
mod drain;
mod folders;
mod grpc;
mod health;
mod live_failover;
mod money;
mod parked;
mod ports;
mod previous;
mod processes;
mod relay_alone;
mod relay_crash;
mod relay_crash_brokers;
mod relay_fan_out;
mod relay_flows;
mod relay_grpc;
mod relay_outages;
mod relay_reader;
mod relay_shares;
mod relay_stalled;
mod roles;
mod settling;
mod stock;
mod system;
mod till;
mod trimmed;
mod walk;
