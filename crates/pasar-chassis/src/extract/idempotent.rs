//! Calls that may be repeated without happening twice.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::{HeaderMap, HeaderName, Method, request::Parts};
use pasar_contracts::problem::ProblemType;
use pasar_store::idempotency::{Fingerprint, IdempotencyKey};
use serde::{Serialize, de::DeserializeOwned};

use super::{body, json};
use crate::problem::Problem;

/// A JSON body with the client's key for it (IETF draft "The Idempotency-Key HTTP Header Field"; quoted
/// or bare). The fingerprint covers method, path, query and what the body says, however it is written: the same
/// call over gRPC has the same one.
#[derive(Clone, Debug)]
pub struct Idempotent<T> {
    pub body: T,
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
}

/// The client's key alone: a body that is no JSON comes beside it.
#[derive(Clone, Debug)]
pub struct Key(pub IdempotencyKey);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl<T: Serialize> Idempotent<T> {
    /// The call of a method on a target that says this.
    pub fn new(method: &Method, target: &str, body: T, Key(key): Key) -> Result<Self, Problem> {
        let said = serde_json::to_vec(&body)
            .map_err(|error| Problem::defect(&format!("a body cannot be written: {error}")))?;
        let fingerprint = Fingerprint::of(&[method.as_str().as_bytes(), target.as_bytes(), &said]);
        Ok(Self {
            body,
            key,
            fingerprint,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        idempotency_key(&parts.headers).map(Self)
    }
}

impl<T: DeserializeOwned + Serialize, S: Send + Sync> FromRequest<S> for Idempotent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let key = idempotency_key(request.headers())?;
        let readable = json::check_media_type(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let body = body::read(request).await?;
        if !body.is_empty() {
            readable?;
        }
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        Self::new(&method, target, json::parse(&body)?, Key(key))
    }
}

/// The key of a request, which must be there exactly once.
pub fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Err(Problem::new(ProblemType::IdempotencyKeyMissing));
    };
    let invalid = |detail: String| Problem::new(ProblemType::InvalidRequest).detail(detail);
    if values.next().is_some() {
        return Err(invalid(
            "there are several Idempotency-Key headers".to_owned(),
        ));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    bare.parse()
        .map_err(|error| invalid(format!("Idempotency-Key: {error}")))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn key(value: &str) -> Result<IdempotencyKey, u16> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.insert(IDEMPOTENCY_KEY, value);
        idempotency_key(&headers).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same_key() {
        assert_eq!(key("\"abc-1\"").unwrap(), key("abc-1").unwrap());
        assert_eq!(key("abc-1").unwrap().as_str(), "abc-1");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "\"\"", "é", &"x".repeat(256)] {
            assert_eq!(key(text), Err(400), "{text}");
        }
        let missing = idempotency_key(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.kind(), ProblemType::IdempotencyKeyMissing);
    }
}
