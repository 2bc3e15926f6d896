//! Access tokens: Ed25519-signed JWTs (RFC 7519, 8037, 9068), read as strictly as they are written.
//!
//! What the header says about where to find a key (`jku`, `jwk`, `x5u`) is not even parsed.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use pasar_contracts::api::users::{ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_TYPE, AccessClaims};
use pasar_types::time::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use crate::authentication::signing_keys::SigningKey;

/// A token whose header is acceptable. Nothing it says is true yet.
pub(super) struct AccessToken<'t> {
    signed: &'t [u8],
    payload: &'t str,
    signature: Vec<u8>,
    key_id: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    /// Extensions that must be understood: there are none that are.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// What a token may say besides its [`AccessClaims`].
#[derive(Deserialize)]
struct Claims {
    #[serde(flatten)]
    access: AccessClaims,
    #[serde(default)]
    nbf: Option<i64>,
}

const ALGORITHM: &str = "EdDSA";

impl<'t> AccessToken<'t> {
    /// `None` for what is not a token of ours, whoever signed it.
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let acceptable =
            header.alg == ALGORITHM && header.typ == ACCESS_TOKEN_TYPE && header.crit.is_none();
        acceptable.then_some(Self {
            signed: signed.as_bytes(),
            payload,
            signature: decode(signature)?,
            key_id: header.kid,
        })
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What the token says, if this key signed it, for us, and it is valid now.
    pub(super) fn verify(
        &self,
        key: &SigningKey,
        issuer: &str,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<AccessClaims, &'static str> {
        const INVALID: &str = "the access token is not valid";
        if !key.signed(self.signed, &self.signature) {
            return Err(INVALID);
        }
        let payload = decode(self.payload).ok_or(INVALID)?;
        let Claims { access, nbf } = serde_json::from_slice(&payload).map_err(|_| INVALID)?;
        if access.iss != issuer || access.aud != ACCESS_TOKEN_AUDIENCE {
            return Err(INVALID);
        }
        if seconds(access.exp) + leeway <= now {
            return Err("the access token has expired");
        }
        let early = |second: i64| seconds(second) > now + leeway;
        if early(access.iat) || nbf.is_some_and(early) {
            return Err("the access token is not valid yet");
        }
        Ok(access)
    }
}

const fn seconds(value: i64) -> Timestamp {
    Timestamp::from_micros(value.saturating_mul(1_000_000))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
