//! Where the workspace is, and how cargo and other programs are called in it.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What every build of the tests enables, so that there is one such build and no more.
pub(crate) const TEST_FEATURES: [&str; 2] = ["--features", "pasar/crash-points"];

/// How the variables begin that a cargo sets for the program it runs.
const OF_THE_OUTER_CARGO: [&str; 5] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
];

pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .nth(2)
            .context("xtask lies two folders below the root")?;
        ensure!(
            root.join("Cargo.lock").is_file(),
            "no Cargo.lock in {}",
            root.display()
        );
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// `target`, or what `CARGO_TARGET_DIR` says.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = self.program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args);
        if in_ci() {
            command.arg("--locked");
        }
        // What `cargo run` told this program of itself would be news to build scripts that ask for it (ring's does), and
        // everything above them would be built again, there and back.
        for (name, _) in env::vars_os() {
            let name_text = name.to_string_lossy();
            if OF_THE_OUTER_CARGO
                .iter()
                .any(|prefix| name_text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Builds the program with optimisations, and answers where it is.
    pub(crate) fn build_release(&self) -> anyhow::Result<PathBuf> {
        run(&mut self.cargo(&["build", "--release", "-p", "pasar"]))?;
        Ok(self.target().join("release/pasar"))
    }

    /// `cargo {verb} --workspace` as the tests are built.
    pub(crate) fn cargo_tests(&self, verb: &str) -> Command {
        let mut command = self.cargo(&[verb, "--workspace"]);
        command.args(TEST_FEATURES);
        command
    }

    /// `cargo test` of exactly these tests, one by one, with what they print.
    pub(crate) fn long_test(&self, tests: &[impl AsRef<OsStr>]) -> Command {
        let mut command = self.cargo_tests("test");
        command
            // Of all crates, or what they share would be built once more with fewer features.
            .args(["--tests", "--", "--exact", "--nocapture"])
            .args(["--test-threads", "1"])
            .args(tests);
        command
    }

    /// Builds the tests and the program beside them; gives the path of the program.
    pub(crate) fn build_tests(&self) -> anyhow::Result<PathBuf> {
        let mut command = self.cargo_tests("test");
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let output = BufReader::new(
            child
                .stdout
                .take()
                .context("the output of cargo is piped")?,
        );
        let mut program = None;
        for line in output.lines() {
            let message: Value = serde_json::from_str(&line?)?;
            let target = &message["target"];
            if target["name"] == "pasar"
                && target["kind"][0] == "bin"
                && message["profile"]["test"] == false
                && let Some(path) = message["executable"].as_str()
            {
                program = Some(PathBuf::from(path));
            }
        }
        ensure!(child.wait()?.success(), "the tests do not build");
        program.context("cargo built no program called pasar")
    }

    /// The crates that must build and test without the others.
    pub(crate) fn services(&self) -> anyhow::Result<Vec<String>> {
        let mut services = Vec::new();
        for entry in fs::read_dir(self.root.join("crates"))? {
            let path = entry?.path();
            if path.join("migrations").is_dir() || path.ends_with("pasar-gateway") {
                let name = path
                    .file_name()
                    .and_then(OsStr::to_str)
                    .context("a crate's name")?;
                services.push(name.to_owned());
            }
        }
        services.retain(|name| name != "pasar-store");
        services.sort();
        Ok(services)
    }
}

/// Runs a command to its end; an unsuccessful one is an error that names it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a continuous integration runs this, where nothing may be left out.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
