//! Access tokens: short-lived JWTs (RFC 9068), signed with EdDSA. They are checked at the gateway,
//! against the published keys; nothing here reads one.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use pasar_contracts::api::users::{ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_TYPE, AccessClaims, Role};
use pasar_types::{
    id::{SessionId, UserId},
    time::Timestamp,
};

use crate::signing_key::{OpenKey, SigningKeys};

/// Writes access tokens.
#[derive(Clone)]
pub(crate) struct AccessTokens {
    pub(crate) keys: SigningKeys,
    pub(crate) issuer: String,
    pub(crate) life: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("there is no signing key")]
    NoKey,
    #[error("a token cannot be signed")]
    Jwt(#[from] jsonwebtoken::errors::Error),
}

impl AccessTokens {
    pub(crate) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        roles: Vec<Role>,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let issued_at = now.as_micros().div_euclid(1_000_000);
        let life = i64::try_from(self.life.as_secs()).unwrap_or(i64::MAX);
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            aud: ACCESS_TOKEN_AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            roles,
            iat: issued_at,
            exp: issued_at.saturating_add(life),
        };
        self.keys
            .sign(now, |key| sign(key, &claims))
            .ok_or(SignError::NoKey)?
    }
}

fn sign(key: &OpenKey, claims: &AccessClaims) -> Result<String, SignError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(ACCESS_TOKEN_TYPE.to_owned());
    header.kid = Some(key.kid.clone());
    Ok(jsonwebtoken::encode(&header, claims, &key.private)?)
}
