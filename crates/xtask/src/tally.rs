//! Counts what cargo's test runs report, and the tests that say that they found no server.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, ensure};

use crate::{servers, workspace::Workspace};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// They passed without having tried anything, and said so.
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) const ONE_PASSED: Self = Self {
        passed: 1,
        failed: 0,
        ignored: 0,
        skipped: 0,
    };
    pub(crate) const ONE_FAILED: Self = Self {
        passed: 0,
        failed: 1,
        ignored: 0,
        skipped: 0,
    };

    pub(crate) const fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skipped += other.skipped;
    }
}

/// What long tests found, beside their results.
pub(crate) struct Proof {
    pub(crate) tally: Tally,
    /// What each had to say, by the line.
    said: Vec<String>,
}

impl Proof {
    pub(crate) fn print(&self) {
        self.said.iter().for_each(|line| println!("{line}"));
    }

    /// A test that was not there, or left itself out, has shown nothing.
    pub(crate) fn ensure_ran(&self, tests: usize) -> anyhow::Result<()> {
        ensure!(
            self.tally.passed == tests as u64,
            "{} of {tests} tests were there",
            self.tally.passed
        );
        Ok(())
    }
}

/// How a line of a test begins that is shown at the end.
const PROOF: &str = "proof: ";

/// Runs `cargo test` with these servers, or all, which must be there.
pub(crate) fn run_with_servers(
    workspace: &Workspace,
    command: &mut Command,
    names: &[&str],
) -> anyhow::Result<Proof> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let servers = servers::start(workspace, &names)?;
    let proof = match servers.missing_said() {
        None => run_proved(servers.told_to(command)),
        Some(missing) => Err(anyhow::anyhow!("{missing}")),
    };
    servers.stop(workspace)?;
    proof
}

/// Runs `cargo test`, shows its output as it comes, and adds up its results.
pub(crate) fn run_counted(command: &mut Command) -> anyhow::Result<Tally> {
    Ok(run_proved(command)?.tally)
}

/// The same, and keeps what the tests say for the end.
pub(crate) fn run_proved(command: &mut Command) -> anyhow::Result<Proof> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let errors = child
        .stderr
        .take()
        .context("the errors of cargo are piped")?;
    let errors = thread::spawn(|| count_skipped(errors, io::stderr()));
    let output = BufReader::new(
        child
            .stdout
            .take()
            .context("the output of cargo is piped")?,
    );
    let mut tally = Tally::default();
    let mut said = Vec::new();
    for line in output.lines() {
        let line = line?;
        println!("{line}");
        said.extend(line.split_once(PROOF).map(|(_, proof)| proof.to_owned()));
        tally.add(read(&line).unwrap_or_default());
    }
    tally.skipped = errors.join().unwrap_or_default();
    if !child.wait()?.success() && tally.failed == 0 {
        // It did not build, or a test ended the whole process.
        tally.failed = 1;
    }
    Ok(Proof { tally, said })
}

/// Passes on what is said on standard error, and counts what `pasar_testkit::servers` says there.
fn count_skipped(errors: impl Read, mut to: impl Write) -> u64 {
    let lines = BufReader::new(errors).lines().map_while(Result::ok);
    let mut skipped = 0;
    for line in lines {
        let _ = writeln!(to, "{line}");
        skipped += u64::from(line.starts_with("skipped: no "));
    }
    skipped
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; ..`.
fn read(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split("; ") {
        let (count, what) = part.split_once(' ')?;
        match what {
            "passed" => tally.passed = count.parse().ok()?,
            "failed" => tally.failed = count.parse().ok()?,
            "ignored" => tally.ignored = count.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_of_cargo_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; \
             finished in 0.01s";
        assert_eq!(
            read(line),
            Some(Tally {
                passed: 12,
                failed: 3,
                ignored: 1,
                skipped: 0,
            })
        );
    }

    #[test]
    fn tests_that_found_no_server_are_counted() {
        let said = "   Compiling pasar\nskipped: no redis; run ..\nskipped: no kafka; run ..\n";
        let mut passed_on = Vec::new();
        assert_eq!(count_skipped(said.as_bytes(), &mut passed_on), 2);
        assert_eq!(passed_on, said.as_bytes());
    }

    #[test]
    fn any_other_line_counts_nothing() {
        assert_eq!(read("test a_thing ... ok"), None);
    }
}
