//! The tests of what stands on a store, once more on PostgreSQL: the same executables, another database.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    servers::Servers,
    tally::{self, Tally},
    workspace::Workspace,
};

/// Crates whose tests write to stores. Those of the rest would do the same again.
const WITH_STORES: [&str; 7] = [
    "pasar-store",
    "pasar-testkit",
    "pasar-users",
    "pasar-inventory",
    "pasar-orders",
    "pasar-payments",
    "pasar-relay",
];

/// Runs all of them, also after a failure.
pub(crate) fn run(workspace: &Workspace, servers: &Servers) -> anyhow::Result<Tally> {
    let mut total = Tally::default();
    for (package, executable) in executables(workspace)? {
        let mut command = Command::new(&executable);
        command
            .current_dir(&package)
            .env("CARGO_MANIFEST_DIR", &package)
            .env("ENGINE_UNDER_TEST", "postgres");
        if package.ends_with("pasar-relay") {
            // What they are about is a broker, and no database.
            command.args(["--skip", "destinations::"]);
        }
        println!("{}", executable.display());
        total.add(tally::run_counted(servers.told_to(&mut command))?);
    }
    ensure!(total.passed > 0, "no test was there");
    Ok(total)
}

/// Each with the folder of its crate.
fn executables(workspace: &Workspace) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let mut command = workspace.cargo_tests("test");
    command.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child
        .stdout
        .take()
        .context("the output of cargo is piped")?;
    let mut found = Vec::new();
    for line in BufReader::new(output).lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let is_test = message["profile"]["test"] == true;
        let (Some(executable), Some(manifest)) = (
            message["executable"].as_str(),
            message["manifest_path"].as_str(),
        ) else {
            continue;
        };
        let package = Path::new(manifest).parent().context("a crate's folder")?;
        if is_test && WITH_STORES.iter().any(|name| package.ends_with(name)) {
            found.push((package.to_owned(), PathBuf::from(executable)));
        }
    }
    ensure!(child.wait()?.success(), "the tests do not build");
    Ok(found)
}
