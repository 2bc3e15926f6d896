//! The bugs that stay worth planting: where each goes, and which test must catch it.

mod backups;
mod feeds;
mod gateway;
mod processes;
mod relay;
mod shop;

use anyhow::ensure;

pub(crate) struct Bug {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) file: &'static str,
    /// Pieces of the file, each there once, and what takes their place.
    pub(crate) changes: &'static [(&'static str, &'static str)],
    /// Whose tests catch it: those of others would be built anew with it, for nothing.
    pub(crate) package: &'static str,
    /// Only PostgreSQL has it, so the tests are run there.
    pub(crate) on_postgres: bool,
    /// The beginning of their names.
    pub(crate) caught_by: &'static str,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Bug> {
    shop::BUGS
        .iter()
        .chain(&relay::BUGS)
        .chain(&processes::BUGS)
        .chain(&backups::BUGS)
        .chain(&feeds::BUGS)
        .chain(&gateway::BUGS)
}

impl Bug {
    /// The file with the bug in it.
    pub(crate) fn planted(&self, whole: &str) -> anyhow::Result<String> {
        let mut text = whole.to_owned();
        for (old, new) in self.changes {
            let found = text.matches(old).count();
            ensure!(
                found == 1,
                "{}: {found} times in {}: {old}",
                self.name,
                self.file
            );
            text = text.replace(old, new);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn every_bug_still_finds_its_place() {
        let workspace = Workspace::find().unwrap();
        for bug in all() {
            let whole = fs::read_to_string(workspace.root().join(bug.file)).unwrap();
            bug.planted(&whole).unwrap();
        }
    }
}
