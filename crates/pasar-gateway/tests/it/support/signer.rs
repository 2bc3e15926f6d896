//! Signs access tokens as users does, or as an attacker would.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use pasar_contracts::api::users::Jwk;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

pub(crate) struct Signer {
    pub(crate) key_id: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(seed: u8, key_id: &str) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Self {
            key_id: key_id.to_owned(),
            pair,
        }
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            alg: "EdDSA".to_owned(),
            key_use: "sig".to_owned(),
            kid: self.key_id.clone(),
            x: encode(self.public()),
        }
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.key_id })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub(crate) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = encode(self.pair.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }
}

pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    )
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
