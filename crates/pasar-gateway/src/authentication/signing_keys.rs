//! The keys that users signs with, as its JWKS lists them: read again regularly, and when a token names
//! an unknown one, but then by one caller at a time and not often.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::RwLock;
use pasar_chassis::host::Host;
use pasar_contracts::api::users::{Jwk, Jwks};
use pasar_store::clock::Clock;
use ring::signature::{ED25519, UnparsedPublicKey};
use tokio::sync::Mutex;

use crate::authentication::users::{Users, UsersUnavailable};

/// A public key that users signs with, until it lists it no more.
#[derive(Debug)]
pub(crate) struct SigningKey {
    public: [u8; 32],
    listed: AtomicBool,
}

pub(super) struct SigningKeys {
    by_id: RwLock<HashMap<String, Arc<SigningKey>>>,
    /// When they were last read because a token named an unknown one. Held while they are read.
    asked: Mutex<Option<Duration>>,
    unknown_every: Duration,
}

impl SigningKey {
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(message, signature)
            .is_ok()
    }

    pub(super) fn is_listed(&self) -> bool {
        self.listed.load(SeqCst)
    }
}

impl SigningKeys {
    pub(super) fn new(unknown_every: Duration) -> Self {
        Self {
            by_id: RwLock::default(),
            asked: Mutex::new(None),
            unknown_every,
        }
    }

    /// The key of this id; `None` if users does not list it.
    pub(super) async fn find(
        &self,
        id: &str,
        users: &Users,
        clock: &dyn Clock,
    ) -> Result<Option<Arc<SigningKey>>, UsersUnavailable> {
        if let Some(key) = self.get(id) {
            return Ok(Some(key));
        }
        let mut asked = self.asked.lock().await;
        // Who waited for the lock may find what the one before it read.
        if let Some(key) = self.get(id) {
            return Ok(Some(key));
        }
        let now = clock.monotonic();
        if asked.is_some_and(|asked| now < asked + self.unknown_every) {
            return Ok(None);
        }
        *asked = Some(now);
        self.replace(users.jwks().await?);
        Ok(self.get(id))
    }

    fn get(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.by_id.read().get(id).cloned()
    }

    /// Takes over the list. What was verified by a key that is gone stops to hold.
    fn replace(&self, jwks: Jwks) {
        let mut by_id = self.by_id.write();
        let mut next = HashMap::with_capacity(jwks.keys.len());
        for jwk in jwks.keys {
            let Some(public) = public_key(&jwk) else {
                continue;
            };
            let key = match by_id.remove(&jwk.kid) {
                Some(known) if known.public == public => known,
                Some(_) | None => Arc::new(SigningKey {
                    public,
                    listed: AtomicBool::new(true),
                }),
            };
            next.insert(jwk.kid, key);
        }
        let gone = std::mem::replace(&mut *by_id, next);
        for key in gone.values() {
            key.listed.store(false, SeqCst);
        }
    }
}

/// Reads the keys now if users answers, and then as often as told.
pub(super) async fn keep_fresh(
    host: &Host,
    keys: Arc<SigningKeys>,
    users: Arc<Users>,
    every: Duration,
) {
    let refresh = async move {
        match users.jwks().await {
            Ok(jwks) => keys.replace(jwks),
            Err(UsersUnavailable) => {
                tracing::warn!("the signing keys cannot be read; those known stay");
            }
        }
        (keys, users)
    };
    let (keys, users) = refresh.await;
    let tasks = host.tasks.clone();
    host.tasks.spawn("gateway signing keys", async move {
        let refreshing = async {
            loop {
                tokio::time::sleep(every).await;
                if let Ok(jwks) = users.jwks().await {
                    keys.replace(jwks);
                }
            }
        };
        tokio::select! {
            () = refreshing => {}
            () = tasks.draining() => {}
        }
    });
}

/// Only what is said to be an Ed25519 key for signatures is one.
fn public_key(jwk: &Jwk) -> Option<[u8; 32]> {
    let is_ed25519 =
        jwk.kty == "OKP" && jwk.crv == "Ed25519" && jwk.alg == "EdDSA" && jwk.key_use == "sig";
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(&jwk.x)
        .ok()
        .filter(|_| is_ed25519)?;
    bytes.try_into().ok()
}
