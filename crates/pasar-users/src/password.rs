//! Hashing and checking passwords with argon2id (RFC 9106), in a bounded pool with a bounded queue.
//!
//! An unknown account costs the same as a known one: its password is checked against a hash that
//! matches nothing.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::{Output, SaltString},
};
use pasar_store::ids::Ids;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{account::NewPassword, config::InvalidConfig};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashConfig {
    /// Memory of one hash, at least 19,456 (19 MiB, the OWASP floor).
    pub memory_kib: u32,
    /// Passes over the memory, at least 2.
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes at the same time; 0 for half of the cores.
    pub threads: usize,
    /// Logins that wait for a hash at most; more are told to come again.
    pub queue: usize,
}

/// Hashes with the parameters of the configuration. Cheap to clone; all clones share the pool.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// Has the form of a hash, but is the hash of nothing.
    matches_nothing: String,
    ids: Arc<dyn Ids>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// What checking a password showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) matches: bool,
    /// The hash was made with other parameters than are wanted now.
    pub(crate) outdated: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many passwords wait to be hashed")]
    Busy,
    #[error("argon2 failed: {0}")]
    Argon2(String),
}

/// What a caller is told to wait when the queue is full.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// A longer text was never accepted as a password; it is cut so that checking it costs no more.
const MAX_CHECKED_BYTES: usize = 4 * 256;

impl Default for HashConfig {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            threads: 0,
            queue: 64,
        }
    }
}

impl HashConfig {
    pub(crate) fn check(&self) -> Result<(), InvalidConfig> {
        let rules = [
            (
                (19_456..=1_048_576).contains(&self.memory_kib),
                "password_hash.memory_kib",
                "19456 to 1048576",
            ),
            (
                (2..=100).contains(&self.iterations),
                "password_hash.iterations",
                "2 to 100",
            ),
            (
                (1..=16).contains(&self.parallelism),
                "password_hash.parallelism",
                "1 to 16",
            ),
            (self.threads <= 256, "password_hash.threads", "0 to 256"),
            (
                (1..=10_000).contains(&self.queue),
                "password_hash.queue",
                "1 to 10000",
            ),
        ];
        match rules.into_iter().find(|(met, ..)| !met) {
            Some((_, field, expected)) => Err(InvalidConfig { field, expected }),
            None => Ok(()),
        }
    }

    fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
            threads => threads,
        }
    }
}

impl Passwords {
    pub(crate) fn new(config: &HashConfig, ids: Arc<dyn Ids>) -> Result<Self, PasswordError> {
        let params = Params::new(
            config.memory_kib,
            config.iterations,
            config.parallelism,
            Some(HASH_BYTES),
        )
        .map_err(|error| PasswordError::Argon2(error.to_string()))?;
        let matches_nothing = matches_nothing(&params, &*ids)?;
        let threads = config.threads();
        Ok(Self(Arc::new(Inner {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            matches_nothing,
            ids,
            running: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(threads + config.queue)),
        })))
    }

    /// The PHC string of a password, with a new salt.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, PasswordError> {
        let inner = Arc::clone(&self.0);
        self.run(move || inner.hash(password)).await
    }

    /// Checks a password against a hash, or against nothing, in the same time.
    pub(crate) async fn check(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<Checked, PasswordError> {
        let inner = Arc::clone(&self.0);
        self.run(move || inner.check(&password, hash.as_deref()))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permits = self.enter().await?;
        tokio::task::spawn_blocking(move || {
            // Held by the work, not by the caller: one that goes away does not make room.
            let _permits = permits;
            work()
        })
        .await
        .map_err(|error| PasswordError::Argon2(error.to_string()))?
    }

    async fn enter(&self) -> Result<[OwnedSemaphorePermit; 2], PasswordError> {
        let Ok(waiting) = Arc::clone(&self.0.waiting).try_acquire_owned() else {
            metrics::counter!("pasar_refused_total", "reason" => "password_queue").increment(1);
            return Err(PasswordError::Busy);
        };
        let running = Arc::clone(&self.0.running)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        Ok([waiting, running])
    }
}

impl Inner {
    fn hash(&self, password: NewPassword) -> Result<String, PasswordError> {
        let salt = new_salt(&*self.ids)?;
        self.argon2
            .hash_password(password.into_text().as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| PasswordError::Argon2(error.to_string()))
    }

    fn check(&self, password: &str, hash: Option<&str>) -> Result<Checked, PasswordError> {
        let known = hash.is_some();
        let hash = PasswordHash::new(hash.unwrap_or(&self.matches_nothing))
            .map_err(|error| PasswordError::Argon2(error.to_string()))?;
        let password = password.as_bytes();
        let cut = &password[..password.len().min(MAX_CHECKED_BYTES + 1)];
        let matches = self.argon2.verify_password(cut, &hash).is_ok();
        Ok(Checked {
            matches: matches && known,
            outdated: !self.is_current(&hash),
        })
    }

    fn is_current(&self, hash: &PasswordHash<'_>) -> bool {
        let wanted = self.argon2.params();
        let same = |params: Params| {
            params.m_cost() == wanted.m_cost()
                && params.t_cost() == wanted.t_cost()
                && params.p_cost() == wanted.p_cost()
        };
        hash.algorithm == argon2::ARGON2ID_IDENT && Params::try_from(hash).is_ok_and(same)
    }
}

fn new_salt(ids: &dyn Ids) -> Result<SaltString, PasswordError> {
    let mut salt = [0; SALT_BYTES];
    ids.fill(&mut salt);
    SaltString::encode_b64(&salt).map_err(|error| PasswordError::Argon2(error.to_string()))
}

/// Random bytes in the place of a hash: no password leads there, and no hash is made at start.
fn matches_nothing(params: &Params, ids: &dyn Ids) -> Result<String, PasswordError> {
    let failed = |error: argon2::password_hash::Error| PasswordError::Argon2(error.to_string());
    let salt = new_salt(ids)?;
    let mut output = [0; HASH_BYTES];
    ids.fill(&mut output);
    let hash = PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: params.try_into().map_err(failed)?,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&output).map_err(failed)?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use pasar_store::ids::SystemIds;

    use super::*;

    fn passwords(config: HashConfig) -> Passwords {
        Passwords::new(&config, Arc::new(SystemIds::default())).unwrap()
    }

    fn new(text: &str) -> NewPassword {
        NewPassword::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_hash_and_no_other() {
        let passwords = passwords(HashConfig::default());
        let hash = passwords.hash(new("correct horse")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let check = async |text: &str| {
            passwords
                .check(text.to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        };
        assert_eq!(
            check("correct horse").await,
            Checked {
                matches: true,
                outdated: false
            }
        );
        assert_eq!(
            check("correct horsf").await,
            Checked {
                matches: false,
                outdated: false
            }
        );
        assert!(!check("").await.matches);
        assert!(!check(&"x".repeat(1 << 20)).await.matches);
        assert_ne!(hash, passwords.hash(new("correct horse")).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_password_is_checked_like_anybodys_and_never_matches() {
        let passwords = passwords(HashConfig::default());
        let checked = passwords
            .check("correct horse".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(
            checked,
            Checked {
                matches: false,
                outdated: false
            }
        );
        let known = passwords.hash(new("correct horse")).await.unwrap();
        let shape = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(shape(&passwords.0.matches_nothing), shape(&known));
        assert_eq!(passwords.0.matches_nothing.len(), known.len());
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_still_matches_and_is_outdated() {
        let old = passwords(HashConfig::default())
            .hash(new("correct horse"))
            .await
            .unwrap();
        let stronger = passwords(HashConfig {
            iterations: 3,
            ..HashConfig::default()
        });
        let checked = stronger
            .check("correct horse".to_owned(), Some(old))
            .await
            .unwrap();
        assert_eq!(
            checked,
            Checked {
                matches: true,
                outdated: true
            }
        );
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let config = HashConfig {
            threads: 1,
            queue: 2,
            ..HashConfig::default()
        };
        let passwords = passwords(config);
        let held = passwords.enter().await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                tokio::spawn({
                    let passwords = passwords.clone();
                    async move { passwords.check("x".to_owned(), None).await }
                })
            })
            .collect();
        while passwords.0.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = passwords.check("x".to_owned(), None).await;
        assert!(matches!(refused, Err(PasswordError::Busy)));
        drop(held);
        for task in waiting {
            assert!(task.await.unwrap().is_ok());
        }
        assert!(passwords.check("x".to_owned(), None).await.is_ok());
    }
}
