//! The keys that databases were sealed with, and whether they are at hand.

use std::{fmt::Write as _, path::Path};

use pasar_chassis::keyring::{self, Keyring};
use pasar_store::ids::SystemIds;

use crate::keyring_text;

const PURPOSE: &str = "backup mark";
/// Enough to tell keyrings apart.
const MARK_BYTES: usize = 8;

/// The keyring that a process in this folder would have. None is made.
pub(crate) fn at_hand(data: &Path) -> anyhow::Result<Option<Keyring>> {
    let environment = keyring_text::given()?;
    if environment.is_none() && !data.join(keyring::FILE_NAME).is_file() {
        return Ok(None);
    }
    let ids = SystemIds::default();
    Ok(Some(Keyring::open(data, environment.as_deref(), &ids)?))
}

/// What tells it from others without telling a key: one mark a root, the newest first.
pub(crate) fn marks(keyring: &Keyring) -> Vec<String> {
    let mark = |key: [u8; 32]| {
        key[..MARK_BYTES]
            .iter()
            .fold(String::new(), |mut text, byte| {
                // Writing into a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    };
    keyring.keys(PURPOSE).map(mark).collect()
}
