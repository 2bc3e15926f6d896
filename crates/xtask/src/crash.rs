//! The long form of the crash test: the suite's own tests, with more cycles.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::{tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// What is killed: the shop while orders are placed, or the relay while messages are delivered
    #[arg(value_enum, default_value_t = Killed::Orders)]
    what: Killed,
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

#[derive(Clone, Copy, ValueEnum)]
enum Killed {
    Orders,
    Relay,
}

impl Killed {
    /// The tests, by the names that cargo knows them by.
    const fn tests(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &[
                "crash::orders_survive_kill_9",
                "crash::orders_survive_power_cuts",
            ],
            Self::Relay => &["relay_crash::messages_survive_kill_9"],
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let tests = options.what.tests();
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
        .args(tests)
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string())
        .env("PASAR_POWER_CUTS", options.power_cuts.to_string());
    if let Some(seed) = options.seed {
        command.env("PASAR_CRASH_SEED", seed.to_string());
    }
    let tally = tally::run_counted(&mut command)?;
    ensure!(tally.failed == 0, "the crash test failed");
    ensure!(
        tally.passed == tests.len() as u64,
        "there are no tests called {}",
        tests.join(" and ")
    );
    Ok(())
}
