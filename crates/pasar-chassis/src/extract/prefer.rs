//! What a client would like (RFC 7240). A preference that cannot be read is ignored, as it says.

use std::{convert::Infallible, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};

/// `Prefer: wait=5`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// How long the answer may take, at most [`MAX_WAIT`].
    pub wait: Option<Duration>,
}

/// The longest wait that is granted, below the gateway's timeout.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
const PREFER: HeaderName = HeaderName::from_static("prefer");

impl<S: Sync> FromRequestParts<S> for Prefer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            wait: wait(&parts.headers),
        })
    }
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next())
        .find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let seconds = value.trim().trim_matches('"').parse().ok()?;
            let named = name.trim().eq_ignore_ascii_case("wait");
            named.then(|| Duration::from_secs(seconds).min(MAX_WAIT))
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_wait_is_read_and_bounded() {
        let check = |value: &'static str, seconds: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_static(value));
            assert_eq!(wait(&headers), seconds.map(Duration::from_secs), "{value}");
        };
        check("wait=5", Some(5));
        check("respond-async, Wait = 10; foo=bar", Some(10));
        check("wait=100000", Some(60));
        check("wait=0", Some(0));
        check("wait=-1", None);
        check("wait=99999999999999999999999", None);
        check("return=minimal", None);
    }
}
