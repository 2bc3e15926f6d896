//! The relay from outside: between the services' feeds, its routes and its destinations.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api_deliveries;
mod api_subscriptions;
mod brokers;
mod declared;
mod delivery;
mod destinations;
mod flows;
mod following;
mod guard;
mod ingest;
mod ingest_lines;
mod live;
mod rest;
mod shop;
mod system;
