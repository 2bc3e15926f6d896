//! An earlier version of the program, built from the history: what runs beside this one while it is replaced.

use std::{fs, path::PathBuf, process::Stdio};

use anyhow::{Context as _, ensure};

use crate::workspace::{self, Workspace};

/// Builds the program of a commit.
pub(crate) fn program(workspace: &Workspace, commit: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.target().join("previous");
    let source = folder.join("source");
    if source.exists() {
        fs::remove_dir_all(&source)?;
    }
    fs::create_dir_all(&source)?;
    let mut archive = workspace
        .program("git")
        .args(["archive", "--format=tar", commit])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start git")?;
    let files = archive.stdout.take().context("git says nothing")?;
    let mut unpack = workspace.program("tar");
    unpack.arg("--extract").arg("--directory").arg(&source);
    workspace::run(unpack.stdin(files))?;
    ensure!(archive.wait()?.success(), "git has no commit {commit}");
    let earlier = Workspace::at(source);
    let target = folder.join("target");
    let mut build = earlier.cargo(&["build", "--quiet", "--package", "pasar"]);
    workspace::run(build.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("debug").join("pasar"))
}
