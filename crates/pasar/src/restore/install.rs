//! Putting databases in place. All are made ready beside their places first, where nothing reads them; while they
//! are moved there, a marker keeps everybody from taking some for all.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use pasar_chassis::keyring;
use pasar_store::{
    crash::{self, CrashPoint},
    follower::Position,
    store::Store,
};

use super::Restored;
use crate::{
    backup::manifest::{Copied, CopiedFile},
    databases::Database,
    durable, lock,
};

pub(super) struct Installation<'d> {
    data: &'d Path,
}

/// What SQLite may keep beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A database's file and what may lie beside it.
pub(super) fn files_of(data: &Path, database: Database) -> Vec<PathBuf> {
    with_beside(&data.join(database.file()))
}

impl<'d> Installation<'d> {
    pub(super) const fn new(data: &'d Path) -> Self {
        Self { data }
    }

    /// Copies what was chosen beside its places, brings it to this version's schema and gives it its epoch. After a
    /// failure nothing of it is left.
    pub(super) fn stage(
        &self,
        from: &Path,
        chosen: &[(Database, &Copied)],
    ) -> anyhow::Result<Vec<Restored>> {
        let staged: anyhow::Result<Vec<_>> = chosen
            .iter()
            .map(|(database, copied)| self.stage_one(from, *database, copied))
            .collect();
        if staged.is_err() {
            for (database, _) in chosen {
                // What cannot be removed is written over by the next restore, and read by nobody.
                let _ = self.unstage(*database);
            }
        }
        staged
    }

    /// Moves everything to its place, and what was there aside; answers where to.
    pub(super) fn finish(
        &self,
        restored: &[Restored],
        keyring: Option<(&Path, &CopiedFile)>,
    ) -> anyhow::Result<Option<PathBuf>> {
        let failed = || {
            format!(
                "the restore into {} stopped half-way; run it again, as before",
                self.data.display()
            )
        };
        let names = restored.iter().map(|restored| restored.database.name);
        lock::begin_restore(self.data, names)?;
        crash::at(CrashPoint::RestoreStepped);
        let mut aside = None;
        for Restored { database, .. } in restored {
            self.move_aside(*database, &mut aside)
                .with_context(failed)?;
            crash::at(CrashPoint::RestoreStepped);
            fs::rename(self.staged(*database), self.data.join(database.file()))
                .with_context(failed)?;
            crash::at(CrashPoint::RestoreStepped);
        }
        if let Some((from, keyring)) = keyring {
            self.install_keyring(from, keyring).with_context(failed)?;
        }
        durable::sync_folder(self.data).with_context(failed)?;
        lock::end_restore(self.data).with_context(failed)?;
        Ok(aside)
    }

    fn stage_one(
        &self,
        from: &Path,
        database: Database,
        copied: &Copied,
    ) -> anyhow::Result<Restored> {
        self.unstage(database)?;
        let staged = self.staged(database);
        copied.file.copy(from, &staged)?;
        let lineage = Store::fork(&database.options(staged.clone()))?;
        let expected = Position {
            epoch: copied.epoch,
            sequence: copied.head,
        };
        ensure!(
            lineage.forks.first() == Some(&expected),
            "{} in {} is not what its manifest says; take another backup, or another copy of this one",
            database.name,
            from.display()
        );
        let [_, log, ..] = &with_beside(&staged)[..] else {
            unreachable!("a log may lie beside every database");
        };
        ensure!(
            !log.exists(),
            "{} could not be written into its database; try again",
            log.display()
        );
        fs::File::open(&staged)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("cannot sync {}", staged.display()))?;
        crash::at(CrashPoint::RestoreStepped);
        Ok(Restored { database, lineage })
    }

    fn staged(&self, database: Database) -> PathBuf {
        self.data.join(format!("{}.restoring", database.file()))
    }

    fn unstage(&self, database: Database) -> anyhow::Result<()> {
        for path in with_beside(&self.staged(database)) {
            durable::remove(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    fn move_aside(&self, database: Database, aside: &mut Option<PathBuf>) -> anyhow::Result<()> {
        for path in files_of(self.data, database) {
            if !path.exists() {
                continue;
            }
            let folder = match aside {
                Some(folder) => folder,
                None => aside.insert(self.new_folder()?),
            };
            let name = path.file_name().context("it has a name")?;
            fs::rename(&path, folder.join(name))?;
            durable::sync_folder(folder)?;
        }
        durable::sync_folder(self.data)?;
        Ok(())
    }

    fn new_folder(&self) -> anyhow::Result<PathBuf> {
        let mut numbers = 1..;
        let folder = numbers
            .by_ref()
            .map(|number: u32| self.data.join(format!("replaced-{number}")))
            .find(|folder| !folder.exists())
            .context("there is always a next number")?;
        lock::create_private(&folder)?;
        Ok(folder)
    }

    fn install_keyring(&self, from: &Path, copied: &CopiedFile) -> anyhow::Result<()> {
        let part = self.data.join(format!("{}.restoring", keyring::FILE_NAME));
        durable::remove(&part)?;
        copied.copy(from, &part)?;
        fs::rename(&part, self.data.join(keyring::FILE_NAME))?;
        Ok(())
    }
}

fn with_beside(file: &Path) -> Vec<PathBuf> {
    let beside = BESIDE.iter().map(|ending| {
        let mut name: OsString = file.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    [file.to_owned()].into_iter().chain(beside).collect()
}
