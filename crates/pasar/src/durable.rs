//! Files that only their owner can read, and that are on the disk before anything relies on them.

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

const PIECE: usize = 256 * 1024;

impl Content {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        copy_into(&mut File::open(path)?, &mut io::sink())
    }
}

/// Makes a file that must not be there yet.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a file that must not be there yet, with all that it is to hold.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Copies a file to where there is none yet; answers what was copied.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<Content> {
    let mut source = File::open(from)?;
    let mut target = create(to)?;
    let content = copy_into(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(content)
}

/// Makes what was made, renamed or removed in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn copy_into(source: &mut impl Read, target: &mut impl io::Write) -> io::Result<Content> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = source.read(&mut piece)?;
        if read == 0 {
            let sha256 = format!("{:x}", hash.finalize());
            return Ok(Content { bytes, sha256 });
        }
        hash.update(&piece[..read]);
        target.write_all(&piece[..read])?;
        bytes += read as u64;
    }
}
