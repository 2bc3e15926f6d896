//! The command line: what can be asked of the program, and who does it.

use std::{path::PathBuf, process::ExitCode, thread};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use crate::{
    backup, bench, check, config, dead_letters, flow, health, import, listen, migrate, parked,
    reconcile, replay, restore, sandbox, send, subscriptions, up, user,
};

/// Pasar takes an order once and never loses it: stock and money settle exactly once.
#[derive(Debug, clap::Parser)]
#[command(name = "pasar", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run all services, or the named ones, in one process
    Up(up::Args),
    /// Create or change products from a CSV file, all or none
    Import(import::Args),
    /// Turn a till's CSV file into orders
    Replay(replay::Args),
    /// Show what happened because of one request, what was delivered, and what is still to come
    Flow(flow::Args),
    /// Send a message, or a line of standard input each
    Send(send::Args),
    /// Follow a topic, and forward what comes if asked to
    Listen(listen::Args),
    /// Look at, make and change subscriptions
    #[command(subcommand)]
    Subscriptions(subscriptions::Command),
    /// Look at messages that could not be delivered, and deliver them again
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Say whether the process on this machine is ready, by success or failure
    Health(health::Args),
    /// Hold the services' databases against each other and name what is wrong
    Check(check::Args),
    /// Bring the databases to this version's schema
    Migrate(migrate::Args),
    /// Copy the databases of a data folder as they are at one moment, also while they are written
    Backup(backup::Args),
    /// Put databases of a backup in place, and say what followers have to do
    Restore(restore::Args),
    /// Put a follower back to where a restored feed forked from what it has followed
    Reconcile(reconcile::Args),
    /// Show what a service was told and could not take, and give up what it never can
    Parked(parked::Args),
    /// Change accounts on this machine
    #[command(subcommand)]
    User(user::Command),
    /// Print the configuration's defaults, with what they mean
    Config,
    /// Measure this build on this machine
    #[command(subcommand)]
    Bench(bench::Bench),
    /// The payments sandbox as a process of its own
    #[command(hide = true)]
    Sandbox(sandbox::Args),
}

/// The data folder, for commands that open it themselves.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Data {
    /// Folder of the databases and keys
    #[arg(long, env = "PASAR_DATA", default_value = "pasar-data")]
    pub(crate) data: PathBuf,
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Up(args) => many_threads()?.block_on(up::run(args)),
            Command::Sandbox(args) => many_threads()?.block_on(sandbox::run(args)),
            Command::Import(args) => one_thread()?.block_on(import::run(args)),
            Command::Replay(args) => one_thread()?.block_on(replay::run(args)),
            Command::Flow(args) => one_thread()?.block_on(flow::run(args)),
            Command::Health(args) => one_thread()?.block_on(health::run(args)),
            Command::Bench(bench) => one_thread()?.block_on(bench::run(bench)),
            Command::Send(args) => many_threads()?.block_on(send::run(args)),
            Command::Listen(args) => many_threads()?.block_on(listen::run(args)),
            Command::Subscriptions(command) => one_thread()?.block_on(subscriptions::run(command)),
            Command::DeadLetters(command) => one_thread()?.block_on(dead_letters::run(command)),
            Command::Check(args) => check::run(args),
            Command::Migrate(args) => migrate::run(&args),
            Command::Backup(args) => backup::run(args),
            Command::Restore(args) => restore::run(args),
            Command::Reconcile(args) => many_threads()?.block_on(reconcile::run(args)),
            Command::Parked(args) => many_threads()?.block_on(parked::run(args)),
            Command::User(command) => many_threads()?.block_on(user::run(command)),
            Command::Config => {
                print!("{}", config::DEFAULTS);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// A worker for each core.
fn many_threads() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(thread::available_parallelism().map_or(2, usize::from))
        .enable_all()
        .build()
        .context("cannot start the threads")
}

/// For clients: they wait more than they work, and leave the cores to the server.
fn one_thread() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
