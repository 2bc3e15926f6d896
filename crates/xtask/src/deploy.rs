//! Whether what is in `deploy/` and the release workflow would be taken by those who read it. The schemas and rules
//! come in packages at pinned versions; nothing is fetched by the checks themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use crate::{
    python,
    workspace::{self, Workspace},
};

const REQUIREMENTS: &str = "deploy/requirements.txt";
const COMPOSE: &str = "deploy/compose/compose.yaml";
const WORKFLOWS: &str = ".github/workflows";
const MANIFESTS: &str = "deploy/kubernetes";
/// Not a resource of the cluster.
const KUSTOMIZATION: &str = "kustomization.yaml";
const UNITS: &str = "deploy/systemd";
/// The units name the program where a package puts it, which is not there on the machine that checks.
const NOT_INSTALLED: &str = "is not executable";

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let bin = python::environment_of(workspace, "python-deploy", REQUIREMENTS)?;
    let tool = |name: &str| workspace.program(bin.join(name));
    workspace::run(tool("hadolint").arg("deploy/Dockerfile"))?;
    let schema = |builtin: &str, files: &[PathBuf]| {
        ensure!(
            !files.is_empty(),
            "there is nothing to hold against {builtin}"
        );
        workspace::run(
            tool("check-jsonschema")
                .args(["--builtin-schema", builtin])
                .args(files),
        )
    };
    schema("vendor.compose-spec", &[COMPOSE.into()])?;
    schema(
        "vendor.github-workflows",
        &in_folder(workspace, WORKFLOWS, "yml")?,
    )?;
    let mut manifests = in_folder(workspace, MANIFESTS, "yaml")?;
    manifests.retain(|path| !path.ends_with(KUSTOMIZATION));
    ensure!(
        manifests.len() > 6,
        "only {} manifests found",
        manifests.len()
    );
    workspace::run(
        tool("kubernetes-validate")
            .args(["--strict", "--quiet"])
            .args(&manifests),
    )?;
    kustomization(workspace, &manifests)?;
    units(workspace)?;
    println!(
        "the Dockerfile, compose file, workflow, {} manifests and units would be taken",
        manifests.len()
    );
    Ok(())
}

fn in_folder(workspace: &Workspace, folder: &str, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(workspace.root().join(folder)).with_context(|| folder.to_owned())?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Every manifest but the example of secrets is named by the kustomization.
fn kustomization(workspace: &Workspace, manifests: &[PathBuf]) -> anyhow::Result<()> {
    let path = workspace.root().join(MANIFESTS).join(KUSTOMIZATION);
    let text = fs::read_to_string(path)?;
    for manifest in manifests {
        let name = manifest
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_named = text.lines().any(|line| line.trim() == format!("- {name}"));
        ensure!(
            is_named || name.contains("example"),
            "{KUSTOMIZATION} does not name {name}"
        );
    }
    Ok(())
}

/// By systemd's own check, where there is one.
fn units(workspace: &Workspace) -> anyhow::Result<()> {
    let folder = workspace.root().join(UNITS);
    let verify = |unit: &Path| {
        Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(unit)
            .current_dir(&folder)
            .output()
    };
    for unit in ["pasar@.service", "pasar.target"] {
        let Ok(output) = verify(&folder.join(unit)) else {
            println!("left out: systemd-analyze is not installed, so {unit} was not checked");
            continue;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        let wrong: Vec<_> = said
            .lines()
            .filter(|line| line.contains("pasar") && !line.contains(NOT_INSTALLED))
            .collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    Ok(())
}
