//! Cross-origin calls by pages of other origins (Fetch standard, "CORS protocol"): with a token of their
//! own, never with the session cookie, so `Access-Control-Allow-Credentials` is never sent.

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
    request::Parts,
};

pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
    all: bool,
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, \
     Traceparent, X-Request-Id",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "ETag, Link, Location, Pasar-Flow, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, \
     X-Request-Id",
);
/// Seconds a browser need not ask again; what the common ones cap it at.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        Self {
            origins: origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok())
                .collect(),
            all: origins.iter().any(|origin| origin == "*"),
        }
    }

    /// The answer to the question a browser asks before a call, if this is one.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Response> {
        let asks = parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && parts.headers.contains_key(ORIGIN);
        if !asks {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if parts
            .headers
            .get(ORIGIN)
            .is_some_and(|origin| self.allows(origin))
        {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        Some(response)
    }

    /// What an answer tells the browser. Nothing unless some origin is allowed at all.
    pub(crate) fn write_fields(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.all {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else if self.origins.is_empty() {
            return;
        } else {
            headers.append(VARY, HeaderValue::from_static("Origin"));
            match origin.filter(|origin| self.allows(origin)) {
                Some(origin) => headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
                None => return,
            };
        }
        if origin.is_some() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }

    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.all || self.origins.contains(origin)
    }
}
