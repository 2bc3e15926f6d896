//! The keys of a process. Each purpose has a key of its own, derived from a root that never leaves this
//! file; a root can be replaced while what was made under older ones stays readable.
//!
//! The roots lie in `keyring.json` (mode 0600) in the data folder, or come by `PASAR_KEYRING` as the same
//! JSON. A new root is added at the end of the list; an old one is removed once nothing needs it.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pasar_store::ids::Ids;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Cheap to clone.
#[derive(Clone)]
pub struct Keyring(Arc<[Root]>);

#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("failed to {what} {}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} can be read by others: run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    #[error("{from} is not a keyring: expected {EXPECTED}")]
    Malformed {
        from: String,
        #[source]
        source: Option<serde_json::Error>,
    },
}

/// What was sealed cannot be opened: made under another key or for another place, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed data cannot be opened")]
pub struct CannotOpen;

#[derive(Clone)]
struct Root {
    id: u32,
    secret: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    roots: Vec<RootEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootEntry {
    id: u32,
    /// 32 bytes, base64url without padding.
    secret: String,
}

/// Its file in the data folder.
pub const FILE_NAME: &str = "keyring.json";
const EXPECTED: &str =
    r#"{"roots":[{"id":1,"secret":"32 bytes in base64url"}]} with different ids, the newest last"#;
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// First byte of what is sealed: the layout that follows it (root id, nonce, ciphertext with tag).
const SEALED_V1: u8 = 1;
const SEALED_HEADER: usize = 1 + 4 + NONCE_LEN;

impl Keyring {
    /// The keyring from the environment if it is given there, else from the data folder, where it is
    /// made on the first start.
    pub fn open(
        data: &Path,
        environment: Option<&str>,
        ids: &dyn Ids,
    ) -> Result<Self, KeyringError> {
        if let Some(text) = environment {
            return Self::parse(text, "PASAR_KEYRING");
        }
        let path = data.join(FILE_NAME);
        match File::open(&path) {
            Ok(file) => Self::read(file, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(&path, ids),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    /// A keyring that exists only in memory.
    #[must_use]
    pub fn ephemeral(ids: &dyn Ids) -> Self {
        let mut secret = [0; 32];
        ids.fill(&mut secret);
        Self([Root { id: 1, secret }].into())
    }

    /// The key of a purpose, under the newest root. The same on every start.
    #[must_use]
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        derive(self.newest(), purpose)
    }

    /// The keys of a purpose under all roots, newest first: to check what an earlier one made.
    pub fn keys(&self, purpose: &str) -> impl Iterator<Item = [u8; 32]> {
        self.0.iter().rev().map(move |root| derive(root, purpose))
    }

    /// Encrypts under the newest root (ChaCha20-Poly1305, RFC 8439). `place` is what the secret belongs
    /// to, such as its row's id: elsewhere it does not open. `nonce` is random and used once
    /// (`ctx.random_bytes()`); at most 2³² secrets a purpose and root.
    #[must_use]
    pub fn seal(&self, purpose: &str, place: &[u8], secret: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let root = self.newest();
        let mut text = secret.to_vec();
        let tag = cipher(root, purpose)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut text,
            )
            .expect("a secret is far shorter than the cipher's limit of 256 GiB");
        let mut sealed = Vec::with_capacity(SEALED_HEADER + text.len() + tag.as_ref().len());
        sealed.push(SEALED_V1);
        sealed.extend_from_slice(&root.id.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts what [`Keyring::seal`] made for the same purpose and place, under any root that is left.
    pub fn open_sealed(
        &self,
        purpose: &str,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, CannotOpen> {
        let (header, text) = sealed.split_at_checked(SEALED_HEADER).ok_or(CannotOpen)?;
        let (version, rest) = header.split_at(1);
        let (id, nonce) = rest.split_at(4);
        if version != [SEALED_V1] {
            return Err(CannotOpen);
        }
        let root = self
            .0
            .iter()
            .find(|root| root.id.to_be_bytes() == id)
            .ok_or(CannotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
        let mut text = text.to_vec();
        let length = cipher(root, purpose)
            .open_in_place(nonce, Aad::from(place), &mut text)
            .map_err(|_| CannotOpen)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn newest(&self) -> &Root {
        self.0.last().expect("a keyring has at least one root")
    }

    fn parse(text: &str, from: &str) -> Result<Self, KeyringError> {
        let malformed = |source| KeyringError::Malformed {
            from: from.to_owned(),
            source,
        };
        let file: KeyringFile =
            serde_json::from_str(text).map_err(|error| malformed(Some(error)))?;
        let mut roots: Vec<Root> = Vec::with_capacity(file.roots.len());
        for entry in file.roots {
            let mut secret = [0; 32];
            let length = BASE64_URL_SAFE_NO_PAD.decode_slice(&entry.secret, &mut secret);
            if length != Ok(32) || roots.iter().any(|root| root.id == entry.id) {
                return Err(malformed(None));
            }
            roots.push(Root {
                id: entry.id,
                secret,
            });
        }
        if roots.is_empty() {
            return Err(malformed(None));
        }
        Ok(Self(roots.into()))
    }

    fn read(file: File, path: &Path) -> Result<Self, KeyringError> {
        refuse_exposed(&file, path)?;
        let mut text = String::new();
        file.take(MAX_FILE_BYTES)
            .read_to_string(&mut text)
            .map_err(failed("read", path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Written whole beside its place, synced, then linked to it: a crash leaves either none or all of it, and
    /// of several processes that start on one folder all have the one that was there first.
    fn create(path: &Path, ids: &dyn Ids) -> Result<Self, KeyringError> {
        let keyring = Self::ephemeral(ids);
        let roots = keyring
            .0
            .iter()
            .map(|root| RootEntry {
                id: root.id,
                secret: BASE64_URL_SAFE_NO_PAD.encode(root.secret),
            })
            .collect();
        let mut text = serde_json::to_string_pretty(&KeyringFile { roots })
            .expect("numbers and texts can be written as JSON");
        text.push('\n');
        let written = path.with_extension(format!("json.new.{}", std::process::id()));
        write_private(&written, text.as_bytes()).map_err(failed("write", &written))?;
        let linked = fs::hard_link(&written, path);
        fs::remove_file(&written).map_err(failed("remove", &written))?;
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = File::open(path).map_err(failed("open", path))?;
                return Self::read(file, path);
            }
            Err(error) => return Err(failed("create", path)(error)),
        }
        if let Some(folder) = path.parent() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(failed("sync the folder of", path))?;
        }
        Ok(keyring)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|root| root.id);
        f.write_str("Keyring with roots ")?;
        f.debug_list().entries(ids).finish()
    }
}

fn derive(root: &Root, purpose: &str) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&root.secret).expect("HMAC takes keys of any length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Its key is never that of [`Keyring::key`] for the same purpose.
fn cipher(root: &Root, purpose: &str) -> LessSafeKey {
    let key = derive(root, &format!("seal:{purpose}"));
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has the cipher's length");
    LessSafeKey::new(key)
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(unix)]
fn refuse_exposed(file: &File, path: &Path) -> Result<(), KeyringError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file
        .metadata()
        .map_err(failed("read the mode of", path))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyringError::Exposed(path.to_owned()))
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &File, _: &Path) -> Result<(), KeyringError> {
    Ok(())
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.to_owned();
    move |source| KeyringError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use pasar_store::ids::SeededIds;

    use super::*;

    const NONCE: [u8; 12] = [7; 12];

    #[test]
    fn a_keyring_is_made_once_and_its_keys_stay() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keyring::open(folder.path(), None, &SeededIds::new(1)).unwrap();
        let second = Keyring::open(folder.path(), None, &SeededIds::new(2)).unwrap();
        assert_eq!(first.key("watch"), second.key("watch"));
        assert_ne!(first.key("watch"), first.key("tokens"));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Keyring::open(folder.path(), None, &SeededIds::new(1)).unwrap();
        let path = folder.path().join(FILE_NAME);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Keyring::open(folder.path(), None, &SeededIds::new(1));
        assert!(matches!(refused, Err(KeyringError::Exposed(_))));
    }

    #[test]
    fn a_malformed_keyring_is_refused_and_never_replaced() {
        let twice = "{\"roots\":[{\"id\":1,\"secret\":\"A\"},{\"id\":1,\"secret\":\"A\"}]}";
        for text in ["", "{}", "{\"roots\":[]}", twice] {
            let folder = tempfile::tempdir().unwrap();
            let refused = Keyring::open(folder.path(), Some(text), &SeededIds::new(1));
            assert!(
                matches!(refused, Err(KeyringError::Malformed { .. })),
                "{text}"
            );
            assert!(!folder.path().join(FILE_NAME).exists());
        }
    }

    #[test]
    fn what_is_sealed_opens_only_at_its_place_and_undamaged() {
        let keyring = Keyring::ephemeral(&SeededIds::new(1));
        let sealed = keyring.seal("tokens", b"pay_1", b"tok_ok", NONCE);
        assert_eq!(
            keyring.open_sealed("tokens", b"pay_1", &sealed).unwrap(),
            b"tok_ok"
        );
        assert!(keyring.open_sealed("tokens", b"pay_2", &sealed).is_err());
        assert!(keyring.open_sealed("other", b"pay_1", &sealed).is_err());
        for length in 0..sealed.len() {
            assert!(
                keyring
                    .open_sealed("tokens", b"pay_1", &sealed[..length])
                    .is_err()
            );
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(keyring.open_sealed("tokens", b"pay_1", &damaged).is_err());
        }
    }

    #[test]
    fn what_an_older_root_made_stays_readable_after_a_rotation() {
        let (a, b) = (
            BASE64_URL_SAFE_NO_PAD.encode([1; 32]),
            BASE64_URL_SAFE_NO_PAD.encode([2; 32]),
        );
        let parse = |text: &str| Keyring::parse(text, "a test").unwrap();
        let before = parse(&format!(r#"{{"roots":[{{"id":1,"secret":"{a}"}}]}}"#));
        let after = parse(&format!(
            r#"{{"roots":[{{"id":1,"secret":"{a}"}},{{"id":2,"secret":"{b}"}}]}}"#
        ));
        let sealed = before.seal("tokens", b"", b"secret", NONCE);
        assert_eq!(
            after.open_sealed("tokens", b"", &sealed).unwrap(),
            b"secret"
        );
        assert_ne!(after.key("watch"), before.key("watch"));
        assert!(after.keys("watch").any(|key| key == before.key("watch")));
    }

    #[test]
    fn its_debug_form_shows_no_secret() {
        let keyring = Keyring::ephemeral(&SeededIds::new(1));
        assert_eq!(format!("{keyring:?}"), "Keyring with roots [1]");
    }
}
