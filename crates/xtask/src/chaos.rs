//! The long form of the chaos tests: two processes a service on PostgreSQL, and what goes wrong there.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::{
    previous,
    tally::{self, Proof, Tally},
    workspace::Workspace,
};

#[derive(Args)]
pub(crate) struct Options {
    /// How often each thing goes wrong
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Only one of them
    #[arg(long, value_enum, default_value_t = Fault::All)]
    fault: Fault,
    /// How long an instance stands still, in seconds
    #[arg(long, default_value_t = 30)]
    still_s: u32,
    /// How long services are cut off from each other, in seconds
    #[arg(long, default_value_t = 10)]
    cut_s: u32,
    /// Instead: end and start every process in turn, under load
    #[arg(long)]
    rolling: bool,
    /// How often, with --rolling
    #[arg(long, default_value_t = 3)]
    passes: u32,
    /// With --rolling: the processes that are ended first are of this commit, built from the history
    #[arg(long, requires = "rolling")]
    from: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    All,
    Instance,
    Server,
    Still,
    Cut,
}

const FAULTS: [(Fault, &str); 4] = [
    (
        Fault::Instance,
        "chaos::nothing_is_lost_when_instances_are_killed",
    ),
    (
        Fault::Server,
        "chaos::nothing_is_lost_when_the_database_server_is_killed",
    ),
    (
        Fault::Still,
        "chaos::an_instance_that_stood_still_writes_nothing_that_is_out_of_date",
    ),
    (
        Fault::Cut,
        "chaos::services_that_are_cut_off_from_each_other_catch_up",
    ),
];
const ROLLING: &str = "chaos::rolling::a_rolling_restart_of_every_service_fails_no_request";

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let wanted =
        |(fault, _): &&(Fault, &str)| options.fault == Fault::All || *fault == options.fault;
    let tests: Vec<_> = if options.rolling {
        vec![ROLLING]
    } else {
        FAULTS
            .iter()
            .filter(wanted)
            .map(|(_, test)| *test)
            .collect()
    };
    let mut command = workspace.long_test(&tests);
    command
        .env("CHAOS_ROUNDS", options.rounds.to_string())
        .env("CHAOS_STILL_S", options.still_s.to_string())
        .env("CHAOS_CUT_S", options.cut_s.to_string())
        .env("CHAOS_PASSES", options.passes.to_string());
    if let Some(commit) = &options.from {
        command.env("PREVIOUS_PROGRAM", previous::program(workspace, commit)?);
    }
    let proof = tally::run_with_servers(workspace, &mut command, &["postgres"])?;
    print(options, &proof);
    ensure!(proof.tally.failed == 0, "the chaos test failed");
    proof.ensure_ran(tests.len())
}

/// The short form, as a suite of the test command. The servers run.
pub(crate) fn short(command: &mut std::process::Command) -> anyhow::Result<Tally> {
    let proof = tally::run_proved(command)?;
    proof.print();
    Ok(proof.tally)
}

/// The tests of this module, one by one: each needs the machine for itself.
pub(crate) fn tests(workspace: &Workspace) -> std::process::Command {
    let all: Vec<_> = FAULTS
        .iter()
        .map(|(_, test)| *test)
        .chain([ROLLING])
        .collect();
    workspace.long_test(&all)
}

fn print(options: &Options, proof: &Proof) {
    print!(
        "\n{}",
        if options.rolling {
            "| processes ended and started | requests | failed | orders |\n|---|---|---|---|\n"
        } else {
            "| what goes wrong | times | orders | asked again | stream resumed | webhook told again | orders flow again: \
             median | slowest |\n|---|---|---|---|---|---|---|---|\n"
        }
    );
    proof.print();
}
