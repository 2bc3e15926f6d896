//! What a stored subscription is opened with: the kinds of destinations there are, and the key of their secrets.

use pasar_chassis::keyring::Keyring;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::SubscriptionId;
use serde_json::{Map, Value};

use crate::{destination::Kind, destinations, secrets::Secrets};

/// Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pub keyring: Keyring,
    pub kinds: Kinds,
}

/// The kinds of destinations that settings may name.
#[derive(Clone, Copy)]
pub struct Kinds(pub &'static [&'static dyn Kind]);

const PURPOSE: &str = "relay-destination";

impl Kinds {
    /// All that this build has.
    pub const ALL: Self = Self(destinations::KINDS);

    /// The kind that settings name.
    #[must_use]
    pub fn of(self, settings: &Map<String, Value>) -> Option<&'static dyn Kind> {
        let name = settings.get("kind").and_then(Value::as_str)?;
        self.0.iter().copied().find(|kind| kind.name() == name)
    }
}

impl Vault {
    #[must_use]
    pub const fn new(keyring: Keyring) -> Self {
        Self {
            keyring,
            kinds: Kinds::ALL,
        }
    }

    /// Encrypts secrets for one subscription; `None` where there are none.
    pub(crate) fn seal(
        &self,
        ctx: &mut Context<'_>,
        id: SubscriptionId,
        secrets: &Secrets,
    ) -> Result<Option<Vec<u8>>, Fault> {
        if secrets.is_empty() {
            return Ok(None);
        }
        let text = serde_json::to_vec(secrets)
            .map_err(|_| Fault::Bug("secrets cannot be written".to_owned()))?;
        let nonce = ctx.random_bytes();
        Ok(Some(self.keyring.seal(
            PURPOSE,
            id.as_bytes(),
            &text,
            nonce,
        )))
    }

    pub(crate) fn open(&self, id: SubscriptionId, sealed: &[u8]) -> Result<Secrets, Fault> {
        let unreadable = || {
            Fault::Corrupt(format!(
                "the secrets of {id}: is this the keyring they were made with?"
            ))
        };
        let text = self
            .keyring
            .open_sealed(PURPOSE, id.as_bytes(), sealed)
            .map_err(|_| unreadable())?;
        serde_json::from_slice(&text).map_err(|_| unreadable())
    }
}
