//! Each service's data belongs to one process at a time: two would each believe to be the only writer. Processes
//! of different services may share a folder.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, bail};

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

/// Readable by its owner alone.
pub(crate) fn make_folder(data: &Path) -> anyhow::Result<()> {
    create_private(data).with_context(|| {
        format!(
            "cannot make the data folder {}; name another with --data",
            data.display()
        )
    })
}

fn create_private(data: &Path) -> std::io::Result<()> {
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
