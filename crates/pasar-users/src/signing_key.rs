//! The Ed25519 keys that access tokens are signed with: making, sealing, publishing and choosing them.
//!
//! A new key is published before it signs, and an old one stays published until the last token it
//! signed has ended, so that nobody ever meets a token whose key is not listed.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use jsonwebtoken::EncodingKey;
use parking_lot::RwLock;
use pasar_chassis::keyring::{CannotOpen, Keyring};
use pasar_contracts::api::users::{Jwk, Jwks};
use pasar_types::time::Timestamp;
use sha2::{Digest, Sha256};

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) public_key: [u8; 32],
    pub(crate) sealed_seed: Vec<u8>,
    pub(crate) created_at: Timestamp,
    pub(crate) signs_from: Timestamp,
}

/// The keys that are stored, opened. Cheap to clone; all clones see the same.
#[derive(Clone, Default)]
pub(crate) struct SigningKeys(Arc<RwLock<Arc<Vec<OpenKey>>>>);

/// A key that can sign.
pub(crate) struct OpenKey {
    pub(crate) kid: String,
    pub(crate) private: EncodingKey,
    public_key: [u8; 32],
    signs_from: Timestamp,
}

/// How long a new key is published before it signs: longer than anybody caches the list.
pub(crate) const PUBLISHED_AHEAD: Duration = Duration::from_secs(5 * 60);
/// How long a key that signs no more stays published: the longest life of a token, and clock skew.
pub(crate) const PUBLISHED_AFTER: Duration = Duration::from_secs(3_600 + 5 * 60);
const PURPOSE: &str = "users/signing-key";
/// PKCS #8 version 1 of an Ed25519 key (RFC 8410, section 7); the 32 bytes of the seed follow.
const PKCS8_HEADER: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl SigningKeys {
    /// Takes over what is stored, oldest first.
    pub(crate) fn load(&self, stored: &[StoredKey], keyring: &Keyring) -> Result<(), CannotOpen> {
        let unchanged = {
            let known = self.0.read();
            known.len() == stored.len()
                && known
                    .iter()
                    .zip(stored)
                    .all(|(known, stored)| known.kid == stored.kid)
        };
        if unchanged {
            return Ok(());
        }
        let opened: Result<Vec<_>, _> = stored.iter().map(|key| key.open(keyring)).collect();
        *self.0.write() = Arc::new(opened?);
        Ok(())
    }

    /// Signs with the newest key whose time has come.
    pub(crate) fn sign<T>(&self, now: Timestamp, sign: impl FnOnce(&OpenKey) -> T) -> Option<T> {
        let keys = Arc::clone(&self.0.read());
        // A clock that was set back makes no difference to whether there is a key.
        keys.iter()
            .rfind(|key| key.signs_from <= now)
            .or_else(|| keys.first())
            .map(sign)
    }

    /// What is published now.
    pub(crate) fn jwks(&self, now: Timestamp) -> Jwks {
        let keys = Arc::clone(&self.0.read());
        let successors = keys
            .iter()
            .skip(1)
            .map(|key| Some(key.signs_from))
            .chain([None]);
        let published = keys
            .iter()
            .zip(successors)
            .filter(|(_, replaced)| is_published(*replaced, now));
        Jwks {
            keys: published.map(|(key, _)| key.jwk()).collect(),
        }
    }
}

/// Whether a key that its successor replaces at that time is still listed.
pub(crate) fn is_published(replaced: Option<Timestamp>, now: Timestamp) -> bool {
    replaced.is_none_or(|replaced| now <= replaced + PUBLISHED_AFTER)
}

impl StoredKey {
    /// Makes a key of random bytes. Its private part is only ever stored sealed.
    pub(crate) fn make(
        seed: [u8; 32],
        nonce: [u8; 12],
        keyring: &Keyring,
        created_at: Timestamp,
        signs_from: Timestamp,
    ) -> Self {
        let public_key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let kid = thumbprint(&public_key);
        let sealed_seed = keyring.seal(PURPOSE, kid.as_bytes(), &seed, nonce);
        Self {
            kid,
            public_key,
            sealed_seed,
            created_at,
            signs_from,
        }
    }

    fn open(&self, keyring: &Keyring) -> Result<OpenKey, CannotOpen> {
        let seed = keyring.open_sealed(PURPOSE, self.kid.as_bytes(), &self.sealed_seed)?;
        let mut der = PKCS8_HEADER.to_vec();
        der.extend_from_slice(&seed);
        Ok(OpenKey {
            kid: self.kid.clone(),
            private: EncodingKey::from_ed_der(&der),
            public_key: self.public_key,
            signs_from: self.signs_from,
        })
    }
}

impl OpenKey {
    fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            key_use: "sig".to_owned(),
            kid: self.kid.clone(),
            x: BASE64_URL_SAFE_NO_PAD.encode(self.public_key),
        }
    }
}

/// RFC 7638, with the members that RFC 8037, section 2, requires.
fn thumbprint(public_key: &[u8; 32]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(public_key);
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendices A.2 and A.3.
    #[test]
    fn the_thumbprint_is_that_of_the_rfcs_example() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let public_key = BASE64_URL_SAFE_NO_PAD
            .decode(x)
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(
            thumbprint(&public_key),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    fn key(kid: &str, signs_from: Timestamp) -> OpenKey {
        OpenKey {
            kid: kid.to_owned(),
            private: EncodingKey::from_ed_der(&[]),
            public_key: [0; 32],
            signs_from,
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_last_token_has_ended() {
        let start = Timestamp::from_micros(1_767_225_600_000_000);
        let rotated = start + Duration::from_secs(1_000_000);
        let keys = SigningKeys::default();
        *keys.0.write() = Arc::new(vec![key("old", start), key("new", rotated)]);
        let at = |now: Timestamp| {
            let signer = keys.sign(now, |key| key.kid.clone()).unwrap();
            let listed: Vec<_> = keys.jwks(now).keys.into_iter().map(|key| key.kid).collect();
            format!("{signer} signs, listed: {}", listed.join(" "))
        };
        assert_eq!(at(rotated - PUBLISHED_AHEAD), "old signs, listed: old new");
        assert_eq!(at(rotated), "new signs, listed: old new");
        assert_eq!(at(rotated + PUBLISHED_AFTER), "new signs, listed: old new");
        let after = rotated + PUBLISHED_AFTER + Duration::from_secs(1);
        assert_eq!(at(after), "new signs, listed: new");
        assert_eq!(
            at(start - Duration::from_secs(9)),
            "old signs, listed: old new"
        );
    }
}
