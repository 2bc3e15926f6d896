//! Shows that the tests catch what they are there for.
use clap::Args;

use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Only the bugs whose names contain this
    #[arg(long)]
    only: Option<String>,
}

pub(crate) fn run(_workspace: &Workspace, _options: &Options) -> anyhow::Result<()> {
    Ok(())
}
