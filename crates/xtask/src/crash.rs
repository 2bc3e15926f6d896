//! The long form of the crash test: the suite's own test, with more cycles.

use clap::Args;

use crate::workspace::{self, Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How often the system is killed and started again
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// The seed of the random kills, to run the same plan again
    #[arg(long)]
    seed: Option<u64>,
}

/// The test, by the name that cargo knows it by.
pub(crate) const TEST: &str = "crash::orders_survive_kill_9";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut command = workspace.cargo_tests("test");
    command
        .args(["--test", "it", "--", "--exact", "--nocapture", TEST])
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string());
    if let Some(seed) = options.seed {
        command.env("PASAR_CRASH_SEED", seed.to_string());
    }
    workspace::run(&mut command)
}
