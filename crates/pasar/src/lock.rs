//! The data folder belongs to one process at a time: two would each believe to be the only writer.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    process,
};

use anyhow::{Context as _, bail};

pub(crate) const FILE_NAME: &str = "pasar.lock";

/// Held as long as it lives; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Makes the folder if there is none, readable by its owner alone, and takes it.
    pub(crate) fn take(data: &Path) -> anyhow::Result<Self> {
        create_private(data).with_context(|| {
            format!(
                "cannot make the data folder {}; name another with --data",
                data.display()
            )
        })?;
        let path = data.join(FILE_NAME);
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
                    "{} is in use by process {}; stop that one first, or name another folder with --data",
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
        let lock = DataLock::take(&data).unwrap();
        let refusal = DataLock::take(&data).unwrap_err().to_string();
        assert!(refusal.contains(&process::id().to_string()), "{refusal}");
        assert!(refusal.contains("--data"), "{refusal}");
        drop(lock);
        DataLock::take(&data).unwrap();
    }
}
