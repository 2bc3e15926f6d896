//! Shows that the tests catch what they are there for: each known bug is planted in a scratch copy of
//! the workspace, and the tests that must catch it are run there.
//!
//! The copy and what is built from it lie under `target/planted`; the workspace is not touched.

mod bugs;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::{
    servers::{self, Servers},
    tally::{self, Tally},
    workspace::{self, TEST_FEATURES, Workspace},
};
use bugs::Bug;

#[derive(Args)]
pub(crate) struct Options {
    /// Only the bugs whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// Kills in the crash test
    #[arg(long, default_value_t = 24)]
    cycles: u32,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let wanted = |bug: &&Bug| {
        options
            .only
            .as_ref()
            .is_none_or(|only| bug.name.contains(only))
    };
    let bugs: Vec<&Bug> = bugs::all().filter(wanted).collect();
    ensure!(!bugs.is_empty(), "no bug is called so");
    let scratch = scratch_copy(workspace)?;
    let servers = servers::start(workspace, &[])?;
    let result = servers
        .missing_said()
        .map_or(Ok(()), |missing| bail!("{missing}"))
        .and_then(|()| plant(&scratch, &servers, &bugs, options));
    servers.stop(workspace)?;
    result
}

fn plant(
    scratch: &Workspace,
    servers: &Servers,
    bugs: &[&Bug],
    options: &Options,
) -> anyhow::Result<()> {
    println!("without a bug, the same tests pass:");
    let runs: BTreeSet<(&str, bool)> = bugs.iter().map(|bug| run_of(bug)).collect();
    let mut whole = Tally::default();
    for run in runs {
        let theirs = bugs.iter().filter(|bug| run_of(bug) == run);
        let tests: BTreeSet<&str> = theirs.map(|bug| bug.caught_by).collect();
        whole.add(test(scratch, servers, run, &tests, options)?);
    }
    ensure!(
        whole.failed == 0 && whole.passed > 0,
        "the tests fail without a bug"
    );
    let mut missed = Vec::new();
    let mut table =
        String::from("| planted | what it does | the test that must fail | |\n|---|---|---|---|\n");
    for bug in bugs {
        println!("\n=== {}: {}", bug.name, bug.what);
        let caught = with_bug(scratch, servers, bug, options)?;
        let ending = if caught { "caught" } else { "NOT CAUGHT" };
        println!("=== {}: {ending}", bug.name);
        let (name, what, test) = (bug.name, bug.what, bug.caught_by);
        table += &format!("| {name} | {what} | `{test}` | {ending} |\n");
        if !caught {
            missed.push(bug.name);
        }
    }
    println!(
        "\n{table}\n{} bugs planted, {} caught",
        bugs.len(),
        bugs.len() - missed.len()
    );
    ensure!(missed.is_empty(), "not caught: {}", missed.join(", "));
    Ok(())
}

/// Plants a bug, runs the test that must catch it, and takes the bug out again.
fn with_bug(
    scratch: &Workspace,
    servers: &Servers,
    bug: &Bug,
    options: &Options,
) -> anyhow::Result<bool> {
    let path = scratch.root().join(bug.file);
    let whole = fs::read_to_string(&path).with_context(|| format!("cannot read {}", bug.file))?;
    fs::write(&path, bug.planted(&whole)?)?;
    let tests = BTreeSet::from([bug.caught_by]);
    let caught = test(scratch, servers, run_of(bug), &tests, options);
    fs::write(&path, whole)?;
    Ok(caught?.failed > 0)
}

/// Whose tests are run for a bug, and whether on PostgreSQL.
const fn run_of(bug: &Bug) -> (&'static str, bool) {
    (bug.package, bug.on_postgres)
}

fn test(
    scratch: &Workspace,
    servers: &Servers,
    (package, on_postgres): (&str, bool),
    tests: &BTreeSet<&str>,
    options: &Options,
) -> anyhow::Result<Tally> {
    // A bug that does not compile would look as if it were caught.
    workspace::run(cargo(scratch, package).arg("--no-run"))?;
    let mut command = cargo(scratch, package);
    command
        .arg("--")
        .args(tests)
        .env("PASAR_CRASH_CYCLES", options.cycles.to_string());
    if on_postgres {
        command.env("ENGINE_UNDER_TEST", "postgres");
    }
    tally::run_counted(servers.told_to(&mut command))
}

fn cargo(scratch: &Workspace, package: &str) -> Command {
    let mut command = scratch.cargo(&["test", "--quiet", "--test", "it", "-p", package]);
    if package == "pasar" {
        command.args(TEST_FEATURES);
    }
    command.env("CARGO_TARGET_DIR", scratch.root().with_file_name("target"));
    command
}

/// The workspace as it stands, committed or not.
fn scratch_copy(workspace: &Workspace) -> anyhow::Result<Workspace> {
    let root = workspace.target().join("planted").join("workspace");
    let listed = workspace
        .program("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .output()
        .context("cannot start git")?;
    ensure!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let files = String::from_utf8(listed.stdout)?;
    for name in files.split_terminator('\0') {
        copy_if_changed(&workspace.root().join(name), &root.join(name))
            .with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(Workspace::at(root))
}

/// What stays as it was is not built again.
fn copy_if_changed(from: &Path, to: &Path) -> anyhow::Result<()> {
    let Ok(wanted) = fs::read(from) else {
        // Deleted, but not committed as such.
        return fs::remove_file(to).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => bail!(error),
        });
    };
    if fs::read(to).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::write(to, wanted)?;
    Ok(())
}
