//! The keyring as the environment gives it: its text, or the name of a file that an orchestrator mounts.

use std::{env, fs};

use anyhow::Context as _;

/// `None` where the data folder has it.
pub(crate) fn given() -> anyhow::Result<Option<String>> {
    if let Ok(text) = env::var("PASAR_KEYRING") {
        return Ok(Some(text));
    }
    let Some(path) = env::var_os("PASAR_KEYRING_FILE") else {
        return Ok(None);
    };
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read PASAR_KEYRING_FILE, {}", path.display()))?;
    Ok(Some(text))
}
