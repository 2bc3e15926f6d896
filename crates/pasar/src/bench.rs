//! `pasar bench`: what this build does on this machine, measured, with the load generator's own cost apart.

mod gateway;
mod http;
mod live;
mod load;
mod metrics;
mod orders;
mod own;
mod process;
mod relay;
mod report;
mod requests;
mod shape;
mod store;
mod system;

use std::process::ExitCode;

#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Orders over HTTP: capacity, latency at a fixed rate, goodput at twice the capacity
    Orders(orders::Args),
    /// The gateway as a process of its own in front of a service, beside another proxy
    Gateway(gateway::Args),
    /// The relay: messages one by one and as lines, deliveries, and what idle subscriptions cost
    Relay(relay::Args),
    /// Live streams: memory of idle ones, deliveries to many subscribers
    Live(live::Args),
    /// The store alone: commands a second by the number that share a commit
    Store(store::Args),
}

pub(crate) async fn run(bench: Bench) -> anyhow::Result<ExitCode> {
    match bench {
        Bench::Orders(args) => orders::run(args).await?,
        Bench::Gateway(args) => {
            tokio::task::LocalSet::new()
                .run_until(gateway::run(args))
                .await?;
        }
        Bench::Relay(args) => {
            tokio::task::LocalSet::new()
                .run_until(relay::run(args))
                .await?;
        }
        Bench::Live(args) => live::run(args).await?,
        Bench::Store(args) => tokio::task::spawn_blocking(move || store::run(&args)).await??,
    }
    Ok(ExitCode::SUCCESS)
}
