//! The project's chores, behind `cargo xtask`: the one test command and what it is made of.
//!
//! It knows the workspace only as files and cargo output, and no crate of it.
#![expect(
    clippy::print_stdout,
    reason = "a command-line tool answers on its standard output"
)]

mod api;
mod arrows;
mod chaos;
mod cluster;
mod crash;
mod deploy;
mod engine;
mod fan_out;
mod gateway;
mod migrations;
mod nchan;
mod nginx;
mod outages;
mod planted;
mod previous;
mod python;
mod servers;
mod suites;
mod tally;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Pasar's chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run everything that must pass before a change is taken; CI runs exactly this
    Test,
    /// Check what no compiler checks: long files, machine paths, links, arrows
    Tidy,
    /// Compile and test every service by itself
    Alone,
    /// Let things go wrong in a cluster under load, many times
    Chaos(chaos::Options),
    /// Run every service as processes of its own on this machine, on PostgreSQL
    Cluster(cluster::Options),
    /// Kill and restart the system under load, many times
    Crash(crash::Options),
    /// Kill each kind of destination's server for a minute while messages are posted
    Outages(outages::Options),
    /// Measure one message to eight destinations at once, beside one that stalls
    FanOut(fan_out::Options),
    /// Plant known bugs in a scratch copy and show that the tests catch them
    Planted(planted::Options),
    /// Measure the gateway beside nginx, in front of the same service
    Gateway(gateway::Options),
    /// Measure live streams beside nginx with nchan
    Nchan(nchan::Options),
    /// Check the files of deploy/ and the release workflow
    Deploy,
    /// Try bad input at every route (schemathesis)
    Api,
    /// Start real brokers for tests, and stop them again
    Servers(servers::Options),
    /// Write the generated parts of docs/
    Docs,
}

fn main() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match Cli::parse().chore {
        Chore::Test => return suites::run(&workspace),
        Chore::Tidy => tidy::run(&workspace)?,
        Chore::Alone => suites::alone(&workspace)?,
        Chore::Chaos(options) => chaos::run(&workspace, &options)?,
        Chore::Cluster(options) => cluster::run(&workspace, &options)?,
        Chore::Crash(options) => crash::run(&workspace, &options)?,
        Chore::Outages(options) => outages::run(&workspace, &options)?,
        Chore::FanOut(options) => fan_out::run(&workspace, &options)?,
        Chore::Planted(options) => planted::run(&workspace, &options)?,
        Chore::Gateway(options) => gateway::run(&workspace, &options)?,
        Chore::Nchan(options) => nchan::run(&workspace, &options)?,
        Chore::Deploy => deploy::run(&workspace)?,
        Chore::Api => api::run(&workspace)?,
        Chore::Servers(options) => servers::run(&workspace, &options)?,
        Chore::Docs => suites::write_docs(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}
