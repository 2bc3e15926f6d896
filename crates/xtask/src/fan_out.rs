//! Measures one message to eight destinations at once: real servers, the release build, and a ninth that stalls.

use anyhow::ensure;
use clap::Args;

use crate::{tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Messages of each round, 100 a second
    #[arg(long, default_value_t = 2_000)]
    messages: u32,
    /// Rounds without the ninth, each followed by one with it
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

const TEST: &str =
    "relay_fan_out::eight_destinations_get_each_message_at_once_whatever_a_ninth_does";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let program = workspace.build_release()?;
    let mut command = workspace.long_test(&[TEST]);
    command
        .env("FAN_OUT_PROGRAM", program)
        .env("FAN_OUT_MESSAGES", options.messages.to_string())
        .env("FAN_OUT_ROUNDS", options.rounds.to_string());
    let proof = tally::run_with_servers(workspace, &mut command, &[])?;
    print!("\n| | alone p50 / p99 | beside the ninth p50 / p99 | p99 |\n|---|---|---|---|\n");
    proof.print();
    ensure!(
        proof.tally.failed == 0,
        "a figure is not what it should be; see above"
    );
    proof.ensure_ran(1)
}
