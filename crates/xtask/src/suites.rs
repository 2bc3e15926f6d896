//! The one test command: each suite in turn, none skipped in silence, one line at the end.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    api, chaos, deploy, engine, python, servers,
    tally::{self, Tally},
    tidy,
    workspace::{self, Workspace},
};

/// How one suite ended.
enum Ending {
    Ran(Tally),
    /// A tool is missing; the text says which and how to get it.
    LeftOut(String),
}

struct Report {
    name: &'static str,
    ending: Ending,
    took: Duration,
}

/// Runs every suite, also after a failure, so that one run shows all there is to mend.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let mut reports = Vec::new();
    let mut suite = |name, run: &mut dyn FnMut() -> anyhow::Result<Ending>| {
        println!("\n=== {name}");
        let started = Instant::now();
        let ending = run().unwrap_or_else(|error| {
            println!("{name} failed: {error:#}");
            Ending::Ran(Tally::ONE_FAILED)
        });
        reports.push(Report {
            name,
            ending,
            took: started.elapsed(),
        });
    };

    let mut program = None;
    suite("fmt", &mut || {
        passed(workspace::run(
            workspace.program("cargo").args(["fmt", "--check"]),
        ))
    });
    suite("tidy", &mut || passed(tidy::run(workspace)));
    suite("build", &mut || {
        program = Some(workspace.build_tests()?);
        Ok(Ending::Ran(Tally::default()))
    });
    suite("clippy", &mut || passed(clippy(workspace)));
    let mut brokers = None;
    suite("servers", &mut || {
        let started = servers::start(workspace, &[])?;
        let missing = started.missing_said();
        brokers = Some(started);
        match missing {
            None => passed(Ok(())),
            Some(missing) => Ok(Ending::LeftOut(missing)),
        }
    });
    suite("tests", &mut || {
        Ok(Ending::Ran(tests(workspace, brokers.as_ref())?))
    });
    if let Some(brokers) = brokers.as_ref().filter(|brokers| brokers.has_postgres()) {
        suite("cluster", &mut || {
            Ok(Ending::Ran(cluster(workspace, brokers)?))
        });
        suite("chaos", &mut || {
            let mut tests = chaos::tests(workspace);
            Ok(Ending::Ran(chaos::short(brokers.told_to(&mut tests))?))
        });
    }
    if let Some(brokers) = brokers.as_ref().filter(|brokers| brokers.has_postgres()) {
        suite("postgres", &mut || {
            Ok(Ending::Ran(engine::run(workspace, brokers)?))
        });
    }
    suite("apart", &mut || Ok(Ending::Ran(apart(workspace)?)));
    if let Some(brokers) = &brokers {
        suite("stop", &mut || passed(brokers.stop(workspace)));
    }
    suite("alone", &mut || passed(alone(workspace)));
    suite("deploy", &mut || match python::missing() {
        Some(what) => Ok(Ending::LeftOut(what)),
        None => passed(deploy::run(workspace)),
    });
    suite("api", &mut || match (&program, python::missing()) {
        (_, Some(what)) => Ok(Ending::LeftOut(what)),
        (None, None) => anyhow::bail!("there is no program to try, as the build failed"),
        (Some(program), None) => passed(api::run_against(workspace, program)),
    });
    Ok(conclude(&reports, workspace::in_ci()))
}

fn passed(result: anyhow::Result<()>) -> anyhow::Result<Ending> {
    result.map(|()| Ending::Ran(Tally::ONE_PASSED))
}

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    workspace::run(
        workspace
            .cargo_tests("clippy")
            .args(["--all-targets", "--", "-D", "warnings"]),
    )
}

/// Tests of what needs a server that is not there say so and pass: they are counted, and the suite of the
/// servers tells which are missing.
fn tests(workspace: &Workspace, brokers: Option<&servers::Servers>) -> anyhow::Result<Tally> {
    let mut command = workspace.cargo_tests("test");
    // Those of chaos have a suite of their own, in which they are alone on the machine.
    command.args(["--no-fail-fast", "--", "--skip", "chaos::"]);
    if let Some(brokers) = brokers {
        brokers.told_to(&mut command);
    }
    tally::run_counted(&mut command)
}

/// The tests of a whole system again, with each service as a process of its own, and those of the gateway with
/// services behind the network. What is about the one process, or starts processes by itself, is not repeated.
fn apart(workspace: &Workspace) -> anyhow::Result<Tally> {
    let mut command = workspace.cargo_tests("test");
    command
        .args(["--no-fail-fast", "--test", "it", "--"])
        .args(APART)
        .env("SHAPE_UNDER_TEST", "processes");
    tally::run_counted(&mut command)
}

/// The tests of a whole system once more, with two processes for each service on PostgreSQL.
fn cluster(workspace: &Workspace, servers: &servers::Servers) -> anyhow::Result<Tally> {
    let mut command = workspace.cargo_tests("test");
    command
        .args(["--no-fail-fast", "--test", "it", "--"])
        .args(&APART[..OF_SYSTEM])
        .env("SHAPE_UNDER_TEST", "cluster");
    tally::run_counted(servers.told_to(&mut command))
}

/// So many of these are of the system.
const OF_SYSTEM: usize = 7;
/// By the modules that hold them: of the system, then of the gateway.
const APART: [&str; 18] = [
    "walk::",
    "settling::",
    "money::",
    "stock::",
    "roles::",
    "drain::",
    "relay_flows::",
    "routing::",
    "streams::",
    "grpc::",
    "tokens::",
    "api_keys::",
    "cookies::",
    "rate_limits::",
    "smuggling::",
    "caps::",
    "forwarding::",
    "cors::",
];

/// Compiles each service's code and tests with only what that service asks for.
///
/// Its tests themselves ran with the workspace; what could differ here is a feature or a
/// dependency that only another crate enabled, and that shows when it is compiled.
pub(crate) fn alone(workspace: &Workspace) -> anyhow::Result<()> {
    for service in workspace.services()? {
        println!("{service}");
        workspace::run(&mut workspace.cargo(&[
            "check",
            "--quiet",
            "--all-targets",
            "-p",
            &service,
        ]))?;
    }
    Ok(())
}

/// Runs the tests that compare generated documents, in the mode in which they write them.
pub(crate) fn write_docs(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = workspace.cargo_tests("test");
    command
        .args(["--test", "it", "--", "documents::"])
        .env("PASAR_WRITE_DOCUMENTS", "1");
    workspace::run(&mut command)
}

fn conclude(reports: &[Report], in_ci: bool) -> ExitCode {
    let mut total = Tally::default();
    println!();
    for Report { name, ending, took } in reports {
        let seconds = took.as_secs();
        match ending {
            Ending::Ran(tally) => {
                let word = if tally.failed == 0 { "ok" } else { "FAILED" };
                println!("{name:<8} {word:<6} {seconds:>5} s");
                total.add(*tally);
            }
            Ending::LeftOut(_) => println!("{name:<8} left out"),
        }
    }
    if total.ignored > 0 {
        println!("{} tests are ignored: nothing may be", total.ignored);
        total.failed += total.ignored;
    }
    for Report { name, ending, .. } in reports {
        let Ending::LeftOut(why) = ending else {
            continue;
        };
        println!("left out: {name}: {why}");
        if in_ci {
            println!("in CI nothing may be left out");
            total.failed += 1;
        }
    }
    if total.skipped > 0 {
        println!("{} of those that passed found no server", total.skipped);
        if in_ci {
            println!("in CI none may");
            total.failed += total.skipped;
        }
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 && total.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ending: Ending) -> Report {
        Report {
            name: "api",
            ending,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn a_suite_left_out_fails_only_in_ci() {
        let reports = [
            report(Ending::Ran(Tally::ONE_PASSED)),
            report(Ending::LeftOut("no python".into())),
        ];
        assert_eq!(conclude(&reports, false), ExitCode::SUCCESS);
        assert_eq!(conclude(&reports, true), ExitCode::FAILURE);
    }

    #[test]
    fn a_test_that_found_no_server_fails_only_in_ci() {
        let skipped = Tally {
            passed: 5,
            failed: 0,
            ignored: 0,
            skipped: 1,
        };
        let reports = [report(Ending::Ran(skipped))];
        assert_eq!(conclude(&reports, false), ExitCode::SUCCESS);
        assert_eq!(conclude(&reports, true), ExitCode::FAILURE);
    }

    #[test]
    fn an_ignored_test_fails_the_run() {
        let ignored = Tally {
            passed: 5,
            failed: 0,
            ignored: 1,
            skipped: 0,
        };
        assert_eq!(
            conclude(&[report(Ending::Ran(ignored))], false),
            ExitCode::FAILURE
        );
    }

    #[test]
    fn a_run_without_a_single_test_fails() {
        assert_eq!(conclude(&[], false), ExitCode::FAILURE);
    }
}
