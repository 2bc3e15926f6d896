//! What one process shows another: who asks, from where, and in which flow, signed with a key that all
//! processes of a system derive from their keyring.
//!
//! A passport holds for one method and path, for a minute. It does not hide what it says, and it does not
//! cover the body: processes talk to each other on a network that others cannot listen on.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use pasar_contracts::{api::users::Role, event::Service};
use pasar_store::clock::Clock;
use pasar_types::{
    id::{FlowId, RequestId, SessionId},
    time::Timestamp,
};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::{
    cause::Arrival,
    host::Host,
    identity::{ClientAddress, Identity},
    keyring::Keyring,
};

/// Issues and checks passports. Cheap to clone.
#[derive(Clone)]
pub struct Passports(Arc<Inner>);

struct Inner {
    /// The newest first; that one signs.
    keys: Vec<hmac::Key>,
    clock: Arc<dyn Clock>,
    /// The second in which a passport was last issued, and that second as passports say it.
    second: Mutex<(i64, Arc<str>)>,
    /// When a refusal was last logged: at most one a second is.
    told: AtomicI64,
}

/// What a valid passport says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passport {
    pub identity: Identity,
    pub address: ClientAddress,
    pub arrival: Arrival,
}

/// Why a passport is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error(
        "the header {HEADER} is missing: this is a service's own address; ask the gateway instead"
    )]
    Missing,
    #[error("the header {HEADER} cannot be read")]
    Malformed,
    #[error(
        "the header {HEADER} is signed with another key: all processes need the same keyring (PASAR_KEYRING, or one data folder)"
    )]
    Signature,
    #[error(
        "the header {HEADER} is more than a minute old or early: the clocks of the processes differ"
    )]
    Time,
}

/// What passports say of who asks, written once for all requests of a credential. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bearer(Arc<str>);

/// As they are read; they are written in two parts, [`BearerClaims`] and what is of one request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    at: Timestamp,
    actor: String,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    scopes: Vec<String>,
    session: Option<SessionId>,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    unlimited: bool,
    address: Option<std::net::IpAddr>,
    flow: FlowId,
    traceparent: Option<String>,
}

#[derive(Serialize)]
struct BearerClaims<'a> {
    actor: String,
    #[serde(skip_serializing_if = "<[Role]>::is_empty")]
    roles: &'a [Role],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_false")]
    unlimited: bool,
}

pub const HEADER: &str = "x-pasar-identity";
/// Of a 401 that is about the passport, so that the caller can tell it from one about its client.
pub const REFUSED: HeaderName = HeaderName::from_static("pasar-identity-refused");

const NAME: HeaderName = HeaderName::from_static(HEADER);
const PURPOSE: &str = "identity between processes";
const VERSION: &str = "v1";
/// How far the time of a passport may lie from ours, in either direction.
const TOLERANCE: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 8 * 1024;

impl Passports {
    #[must_use]
    pub fn new(keyring: &Keyring, clock: Arc<dyn Clock>) -> Self {
        let keys = keyring
            .keys(PURPOSE)
            .map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key))
            .collect();
        Self::with_keys(keys, clock)
    }

    #[must_use]
    pub fn of(host: &Host) -> Self {
        Self::new(&host.keyring, Arc::clone(&host.clock))
    }

    /// The same with a key of its own, for a service that is not ours and must not hold ours.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        let keys = vec![hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())];
        Self::with_keys(keys, Arc::clone(&self.0.clock))
    }

    fn with_keys(keys: Vec<hmac::Key>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            keys,
            clock,
            second: Mutex::new((i64::MIN, "".into())),
            told: AtomicI64::new(i64::MIN),
        }))
    }

    /// A passport for a request, as a header. `path` is with its query, as it is sent.
    ///
    /// # Panics
    /// If the keyring was empty, which it never is.
    #[must_use]
    pub fn issue(
        &self,
        method: &Method,
        path: &str,
        passport: &Passport,
    ) -> (HeaderName, HeaderValue) {
        let bearer = Bearer::of(&passport.identity);
        self.issue_to(method, path, &bearer, passport.address, &passport.arrival)
    }

    /// [`Self::issue`] for somebody whose part is written already. Its time is that of the second begun.
    ///
    /// # Panics
    /// If the keyring was empty, which it never is.
    #[must_use]
    pub fn issue_to(
        &self,
        method: &Method,
        path: &str,
        bearer: &Bearer,
        address: ClientAddress,
        arrival: &Arrival,
    ) -> (HeaderName, HeaderValue) {
        let text = self.text(method, path, bearer, address, arrival);
        let value = HeaderValue::try_from(text).expect("Base64 is visible ASCII");
        (NAME, value)
    }

    /// The value of the header alone: visible ASCII.
    ///
    /// # Panics
    /// If the keyring was empty, which it never is.
    #[must_use]
    pub fn text(
        &self,
        method: &Method,
        path: &str,
        bearer: &Bearer,
        address: ClientAddress,
        arrival: &Arrival,
    ) -> String {
        let mut json = String::with_capacity(bearer.0.len() + 192);
        let at = self.second();
        let _ = write!(json, "{{\"at\":\"{at}\",\"flow\":\"{}\",", arrival.flow);
        if let Some(address) = address.0 {
            let _ = write!(json, "\"address\":\"{address}\",");
        }
        // Hexadecimal digits and dashes: whatever else came was taken as absent.
        if let Some(traceparent) = &arrival.traceparent {
            let _ = write!(json, "\"traceparent\":\"{traceparent}\",");
        }
        json.push_str(&bearer.0);
        let mut text = String::with_capacity(json.len() * 4 / 3 + 64);
        text.push_str(VERSION);
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(json, &mut text);
        let key = self
            .0
            .keys
            .first()
            .expect("a keyring has at least one root");
        let tag = hmac::sign(key, &message(method, path, &text));
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(tag, &mut text);
        text
    }

    /// Written once a second and not for each request: passports need no more.
    fn second(&self) -> Arc<str> {
        const MICROS: i64 = 1_000_000;
        let now = self.0.clock.now().as_micros();
        let second = now - now.rem_euclid(MICROS);
        let mut known = self.0.second.lock();
        if known.0 != second {
            *known = (second, Timestamp::from_micros(second).to_string().into());
        }
        Arc::clone(&known.1)
    }

    /// For what a service asks another in its own name.
    #[must_use]
    pub fn for_service(&self, service: Service, arrival: Arrival) -> Passport {
        Passport {
            identity: Identity::service(service),
            address: ClientAddress(None),
            arrival,
        }
    }

    /// Who asks, if the passport is valid for this request.
    pub fn check(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Passport, Rejected> {
        let mut values = headers.get_all(NAME).iter();
        let value = values.next().ok_or(Rejected::Missing)?;
        if values.next().is_some() || value.len() > MAX_BYTES {
            return Err(Rejected::Malformed);
        }
        let text = value.to_str().map_err(|_| Rejected::Malformed)?;
        let (signed, tag) = text.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let tag = BASE64_URL_SAFE_NO_PAD
            .decode(tag)
            .map_err(|_| Rejected::Malformed)?;
        let message = message(method, path, signed);
        // In constant time for each key.
        let is_signed = |key: &hmac::Key| hmac::verify(key, &message, &tag).is_ok();
        if !self.0.keys.iter().any(is_signed) {
            return Err(Rejected::Signature);
        }
        let claims = signed
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('.'))
            .and_then(|json| BASE64_URL_SAFE_NO_PAD.decode(json).ok())
            .and_then(|json| serde_json::from_slice::<Claims>(&json).ok())
            .ok_or(Rejected::Malformed)?;
        let apart = claims
            .at
            .as_micros()
            .abs_diff(self.0.clock.now().as_micros());
        if u128::from(apart) > TOLERANCE.as_micros() {
            return Err(Rejected::Time);
        }
        claims.passport()
    }

    /// Tells the log of a refusal, unless another was told of within the last second.
    pub(crate) fn tell(&self, rejected: Rejected, path: &str) {
        let second = self.0.clock.now().as_micros() / 1_000_000;
        if self.0.told.swap(second, Relaxed) != second {
            tracing::error!(%rejected, path, "a request was refused: 401");
        }
    }
}

impl Bearer {
    /// # Panics
    /// Never: an identity is texts and numbers, which can be written as JSON.
    #[must_use]
    pub fn of(identity: &Identity) -> Self {
        let claims = BearerClaims {
            actor: identity.actor.to_string(),
            roles: &identity.roles,
            scopes: &identity.scopes,
            session: identity.session,
            expires_at: identity.expires_at,
            unlimited: identity.unlimited,
        };
        let object = serde_json::to_string(&claims).expect("claims are texts and numbers");
        // The members and the end of the object; its beginning is of each request.
        Self(object[1..].into())
    }
}

impl Claims {
    fn passport(self) -> Result<Passport, Rejected> {
        let mut identity = Identity::anonymous();
        identity.actor = self.actor.parse().map_err(|_| Rejected::Malformed)?;
        identity.roles = self.roles;
        identity.scopes = self.scopes;
        identity.session = self.session;
        identity.expires_at = self.expires_at;
        identity.unlimited = self.unlimited;
        Ok(Passport {
            identity,
            address: ClientAddress(self.address),
            arrival: Arrival {
                flow: self.flow,
                request: RequestId::from_uuid(self.flow.uuid()),
                traceparent: self.traceparent,
            },
        })
    }
}

fn message(method: &Method, path: &str, signed: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(method.as_str().len() + path.len() + signed.len() + 2);
    for part in [method.as_str(), "\n", path, "\n", signed] {
        message.extend_from_slice(part.as_bytes());
    }
    message
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl fmt::Debug for Passports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passports(..)")
    }
}

#[cfg(test)]
mod tests;
