//! A disk that keeps only what was synced. `kill -9` alone cannot show a write that was acknowledged before
//! it was durable, as the kernel keeps what a process wrote; this shows it.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

/// What would be left after a power cut. Linux alone: it is preloaded into the program.
pub(super) struct Disk {
    kept: TempDir,
    library: std::path::PathBuf,
    _built: TempDir,
}

const SOURCE: &str = include_str!("disk.c");
/// What of a data folder the disk answers for.
const DATABASE_FILES: [&str; 3] = [".db", ".db-wal", ".db-journal"];

impl Disk {
    pub(super) fn new() -> Self {
        let built = tempfile::tempdir().unwrap();
        let source = built.path().join("disk.c");
        let library = built.path().join("disk.so");
        fs::write(&source, SOURCE).unwrap();
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .status();
        assert!(
            compiled.is_ok_and(|status| status.success()),
            "a C compiler called cc is needed"
        );
        Self {
            kept: tempfile::tempdir().unwrap(),
            library,
            _built: built,
        }
    }

    /// Lets a program write through this disk.
    pub(super) fn put_under(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("KEPT_BY_TEST_DISK", self.kept.path());
    }

    /// Cuts the power: of the databases in a folder only what was synced is left. Returns the bytes that
    /// were written and are gone.
    pub(super) fn cut(&self, data: &Path) -> u64 {
        let mut lost = 0;
        for entry in fs::read_dir(data).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".db-shm") {
                fs::remove_file(&path).unwrap();
            }
            if !DATABASE_FILES.iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let kept = self.kept.path().join(name);
            lost += difference(&path, &kept);
            if kept.exists() {
                fs::copy(&kept, &path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
        }
        lost
    }
}

fn difference(written: &Path, kept: &Path) -> u64 {
    let written = fs::read(written).unwrap();
    let kept = fs::read(kept).unwrap_or_default();
    let same = written.iter().zip(&kept).filter(|(a, b)| a == b).count();
    (written.len() - same) as u64
}
