//! The long form of the crash test: the suite's own test, with more cycles.

use anyhow::ensure;
use clap::Args;

use crate::{tally, workspace::Workspace};

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
const TEST: &str = "crash::orders_survive_kill_9";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut command = workspace.cargo_tests("test");
    command
        .args(["--test", "it", "--", "--exact", "--nocapture", TEST])
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string());
    if let Some(seed) = options.seed {
        command.env("PASAR_CRASH_SEED", seed.to_string());
    }
    let tally = tally::run_counted(&mut command)?;
    ensure!(tally.failed == 0, "the crash test failed");
    ensure!(tally.passed == 1, "there is no test called {TEST}");
    Ok(())
}
