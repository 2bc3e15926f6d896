//! Bad input at every route.
use std::path::Path;

use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    run_against(workspace, &workspace.build_tests()?)
}

pub(crate) fn run_against(_workspace: &Workspace, _program: &Path) -> anyhow::Result<()> {
    Ok(())
}
