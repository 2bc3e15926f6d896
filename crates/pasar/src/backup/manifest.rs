//! `manifest.json`: what a backup holds. It is written last, so a backup without one is none.

use std::{fs, io, path::Path};

use anyhow::{Context as _, anyhow, bail, ensure};
use pasar_types::{id::EpochId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    databases::Database,
    durable::{self, Content},
};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// The version of the program that made it.
    pasar: String,
    pub(crate) made_at: Timestamp,
    pub(crate) databases: Vec<Copied>,
    pub(crate) keys: Keys,
}

/// A database as it was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) name: String,
    pub(crate) epoch: EpochId,
    /// The place of the newest event.
    pub(crate) head: i64,
    #[serde(flatten)]
    pub(crate) file: CopiedFile,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CopiedFile {
    pub(crate) file: String,
    #[serde(flatten)]
    content: Content,
}

/// What is needed to open what is sealed in the databases.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// Tell keyrings apart without telling a key; the newest first.
    pub(crate) marks: Vec<String>,
    /// The keyring itself, if it is part of the backup.
    pub(crate) keyring: Option<CopiedFile>,
}

/// Read before anything else is believed.
#[derive(Deserialize)]
struct Format {
    format: u32,
    pasar: String,
}

const FORMAT: u32 = 1;
pub(crate) const FILE_NAME: &str = "manifest.json";

impl Manifest {
    pub(crate) fn new(made_at: Timestamp, databases: Vec<Copied>, keys: Keys) -> Self {
        Self {
            format: FORMAT,
            pasar: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            databases,
            keys,
        }
    }

    /// Writes it into the folder of the backup.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let path = folder.join(FILE_NAME);
        durable::write(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE_NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "{} holds no whole backup, as it has no {FILE_NAME}; name the folder that `pasar backup` made",
                folder.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let damaged = || {
            format!(
                "{} is damaged; take another backup, or another copy of this one",
                path.display()
            )
        };
        let Format { format, pasar } = serde_json::from_slice(&text).with_context(damaged)?;
        ensure!(
            format == FORMAT,
            "{} was made by pasar {pasar} in format {format}, and this version reads {FORMAT}; restore it with that \
             version",
            folder.display()
        );
        let manifest: Self = serde_json::from_slice(&text).with_context(damaged)?;
        for copied in &manifest.databases {
            let known = Database::named(&copied.name);
            let is_as_named = known.is_some_and(|database| database.file() == copied.file.file);
            ensure!(is_as_named, "{}: it names {:?}", damaged(), copied.name);
        }
        Ok(manifest)
    }
}

impl CopiedFile {
    pub(crate) const fn new(file: String, content: Content) -> Self {
        Self { file, content }
    }

    /// Fails unless the backup's file is what was backed up.
    pub(crate) fn verify(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(&self.file);
        let content = Content::of(&path).map_err(|error| {
            anyhow!(error).context(format!(
                "the backup lacks {}; take another copy of it",
                path.display()
            ))
        })?;
        self.compare(&content, &path)
    }

    /// Copies it to where there is no such file, and fails unless that is what was backed up.
    pub(crate) fn copy(&self, folder: &Path, to: &Path) -> anyhow::Result<()> {
        let path = folder.join(&self.file);
        let content = durable::copy(&path, to)
            .with_context(|| format!("cannot copy {} to {}", path.display(), to.display()))?;
        self.compare(&content, &path)
    }

    fn compare(&self, content: &Content, path: &Path) -> anyhow::Result<()> {
        ensure!(
            *content == self.content,
            "{} is damaged: it has {} bytes with the hash {}, and was made with {} bytes and {}; take another backup, \
             or another copy of this one",
            path.display(),
            content.bytes,
            content.sha256,
            self.content.bytes,
            self.content.sha256
        );
        Ok(())
    }
}
