//! The long form of the outages: the suite's own tests, with each server down for longer.

use anyhow::ensure;
use clap::Args;

use crate::{crash::Destination, tally, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How long each server is down
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Which kind of destination
    #[arg(long, value_enum, default_value_t = Destination::All)]
    destination: Destination,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let kinds = options.destination.kinds();
    let tests: Vec<String> = kinds
        .iter()
        .map(|kind| {
            format!(
                "relay_outages::{kind}::what_is_posted_while_it_is_down_arrives_and_slows_nobody"
            )
        })
        .collect();
    let mut command = workspace.long_test(&tests);
    command.env("OUTAGE_SECONDS", options.seconds.to_string());
    let proof = tally::run_with_servers(workspace, &mut command, &[])?;
    print!(
        "\n| destination | down | posted meanwhile | in order | attempts counted | caught up after | another's p99 \
         before → meanwhile |\n|---|---|---|---|---|---|---|\n"
    );
    proof.print();
    ensure!(
        proof.tally.failed == 0,
        "an outage lost, disordered or slowed something; see above"
    );
    proof.ensure_ran(tests.len())
}
