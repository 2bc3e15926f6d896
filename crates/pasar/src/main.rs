//! The `pasar` program: all services in one process, and the commands that work with them.

// First, as its macros are for all that follow.
#[macro_use]
mod output;

mod alone;
mod backup;
mod bench;
mod check;
mod cli;
mod client;
mod config;
mod csv_lines;
mod databases;
mod dead_letters;
mod demo_env;
mod durable;
mod flow;
mod health;
mod import;
mod keyring_text;
mod latency;
mod listen;
mod locations;
mod lock;
mod migrate;
mod parked;
mod progress;
mod reconcile;
mod replay;
mod restore;
mod sandbox;
mod send;
mod subscriptions;
mod up;
mod user;

use std::process::ExitCode;

use clap::Parser as _;

/// Lean when idle and quick under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pasar: {error:#}");
            ExitCode::FAILURE
        }
    }
}
