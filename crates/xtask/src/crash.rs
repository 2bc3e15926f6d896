//! The long form of the crash test: the suite's own tests, with more cycles.

use anyhow::ensure;
use clap::Args;

use crate::{tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How often the system is killed and started again
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// How often the power is cut under it besides: only what was synced is left
    #[arg(long, default_value_t = 20)]
    power_cuts: u32,
    /// The seed of the random kills, to run the same plan again
    #[arg(long)]
    seed: Option<u64>,
}

/// The tests, by the names that cargo knows them by.
const TESTS: [&str; 2] = [
    "crash::orders_survive_kill_9",
    "crash::orders_survive_power_cuts",
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let mut command = workspace.cargo_tests("test");
    command
        .args([
            "--test",
            "it",
            "--",
            "--exact",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .args(TESTS)
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string())
        .env("PASAR_POWER_CUTS", options.power_cuts.to_string());
    if let Some(seed) = options.seed {
        command.env("PASAR_CRASH_SEED", seed.to_string());
    }
    let tally = tally::run_counted(&mut command)?;
    ensure!(tally.failed == 0, "the crash test failed");
    ensure!(
        tally.passed == TESTS.len() as u64,
        "there are no tests called {}",
        TESTS.join(" and ")
    );
    Ok(())
}
