//! A virtual environment under `target/` for the tools that come from PyPI, at pinned versions.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::workspace::{self, Workspace};

const REQUIREMENTS: &str = "crates/pasar/tests/api/requirements.txt";

/// Says what is missing, if python is.
pub(crate) fn missing() -> Option<String> {
    let works = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    (!works).then(|| "python3 with venv is not installed (Debian: python3-venv)".to_owned())
}

/// The environment of the API's tests.
pub(crate) fn environment(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    environment_of(workspace, "python", REQUIREMENTS)
}

/// Makes an environment if it is not there or its requirements changed; gives its `bin` folder.
pub(crate) fn environment_of(
    workspace: &Workspace,
    name: &str,
    requirements: &str,
) -> anyhow::Result<PathBuf> {
    let home = workspace.target().join(name);
    let wanted = fs::read_to_string(workspace.root().join(requirements))
        .with_context(|| format!("cannot read {requirements}"))?;
    let bin = home.join("bin");
    // Written last: an environment that was cut off half-way is made anew.
    let made_from = home.join("made-from.txt");
    if fs::read_to_string(&made_from).is_ok_and(|made| made == wanted) {
        return Ok(bin);
    }
    let python = |program: PathBuf| workspace.program(program);
    workspace::run(
        python("python3".into())
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    workspace::run(
        python(bin.join("python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--requirement", requirements]),
    )?;
    fs::write(&made_from, wanted)?;
    Ok(bin)
}
