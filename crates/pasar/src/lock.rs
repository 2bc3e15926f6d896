//! Each service's data belongs to one process at a time: two would each believe to be the only writer. Processes
//! of different services may share a folder.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, bail, ensure};

use crate::{backup::manifest, durable};

/// Where the lock of a service, or of the sandbox, lies.
pub(crate) fn path(data: &Path, name: &str) -> PathBuf {
    data.join(format!("{name}.lock"))
}

/// Held as long as it lives; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes a folder for some services, all or none.
    pub(crate) fn take_all<'n>(
        data: &Path,
        names: impl Iterator<Item = &'n str>,
    ) -> anyhow::Result<Vec<Self>> {
        names.map(|name| Self::take(data, name)).collect()
    }

    /// Makes the folder if there is none, readable by its owner alone, and takes it for a service.
    pub(crate) fn take(data: &Path, name: &str) -> anyhow::Result<Self> {
        let lock = Self::take_for_restore(data, name)?;
        refuse_unfinished(data)?;
        Ok(lock)
    }

    /// The same for what may go on where an earlier restore did not finish.
    pub(crate) fn take_for_restore(data: &Path, name: &str) -> anyhow::Result<Self> {
        make_folder(data)?;
        let path = path(data, name);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| {
                format!(
                    "cannot write {}; name another folder with --data",
                    path.display()
                )
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "{name} in {} is in use by process {}; stop that one first, or name another folder with \
                     --data",
                    data.display(),
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", process::id())?;
        Ok(Self { _file: file })
    }
}

/// While it is there, some of the databases are those of a restore that goes on, or was killed.
const UNFINISHED: &str = "restore-unfinished";

/// Fails where a restore did not finish: what is there looks whole, and is not.
pub(crate) fn refuse_unfinished(data: &Path) -> anyhow::Result<()> {
    ensure!(
        !data.join(UNFINISHED).exists(),
        "a restore into {} did not finish, so its databases are not of one moment; run `pasar restore` again, as before",
        data.display()
    );
    Ok(())
}

/// The databases that a restore was about that did not finish.
pub(crate) fn unfinished(data: &Path) -> anyhow::Result<BTreeSet<String>> {
    let path = data.join(UNFINISHED);
    match fs::read_to_string(&path) {
        Ok(names) => Ok(names.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// From here on nobody uses the folder until the restore ends.
pub(crate) fn begin_restore<'n>(
    data: &Path,
    names: impl Iterator<Item = &'n str>,
) -> anyhow::Result<()> {
    let (path, part) = (
        data.join(UNFINISHED),
        data.join(format!("{UNFINISHED}.part")),
    );
    let text: String = names.flat_map(|name| [name, "\n"]).collect();
    let write = || {
        durable::remove(&part)?;
        durable::write(&part, text.as_bytes())?;
        fs::rename(&part, &path)?;
        durable::sync_folder(data)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

pub(crate) fn end_restore(data: &Path) -> io::Result<()> {
    fs::remove_file(data.join(UNFINISHED))?;
    durable::sync_folder(data)
}

/// Fails where a backup is: what is written to it is not what its manifest says any more.
pub(crate) fn refuse_backup(data: &Path) -> anyhow::Result<()> {
    ensure!(
        !data.join(manifest::FILE_NAME).exists(),
        "{folder} is a backup, as it has a {}, and stays as it was made; put it in place with `pasar restore {folder} \
         --data FOLDER`",
        manifest::FILE_NAME,
        folder = data.display()
    );
    Ok(())
}

/// For whoever is about to write to a data folder: it is there afterwards, readable by its owner alone.
pub(crate) fn make_folder(data: &Path) -> anyhow::Result<()> {
    refuse_backup(data)?;
    create_private(data).with_context(|| {
        format!(
            "cannot make the data folder {}; name another with --data",
            data.display()
        )
    })
}

pub(crate) fn create_private(data: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_and_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let lock = DataLock::take(&data, "orders").unwrap();
        let refusal = DataLock::take(&data, "orders").unwrap_err().to_string();
        assert!(refusal.contains(&process::id().to_string()), "{refusal}");
        assert!(refusal.contains("--data"), "{refusal}");
        let other = DataLock::take(&data, "payments").unwrap();
        drop(lock);
        DataLock::take(&data, "orders").unwrap();
        drop(other);
    }
}
