//! A client that calls a router directly, as the server in front of it would.

use std::sync::Arc;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use pasar_chassis::{
    cause::Arrival,
    identity::{ClientAddress, Identity},
};
use pasar_store::{clock::ManualClock, ids::SeededIds};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower::ServiceExt;

use crate::sse::EventStream;

/// Calls a router. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    router: Router,
    ids: Arc<SeededIds>,
}

/// A request in the making. Anonymous unless told otherwise.
#[must_use = "a call is made by send"]
pub struct Call {
    client: Client,
    request: Request<Body>,
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

const SEED: u64 = 77;

/// Sends a request to a router and reads the whole response.
///
/// # Panics
/// If the body breaks off.
pub async fn call(router: &Router, request: Request<Body>) -> Answer {
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body arrives whole");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
    }
}

impl Client {
    #[must_use]
    pub fn new(router: Router) -> Self {
        Self {
            router,
            ids: Arc::new(SeededIds::new(SEED)),
        }
    }

    pub fn get(&self, path: &str) -> Call {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.request(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.request(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.request(Method::DELETE, path)
    }

    /// # Panics
    /// If the path is none.
    pub fn request(&self, method: Method, path: &str) -> Call {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .expect("a test's path is valid");
        Call {
            client: self.clone(),
            request,
        }
    }
}

impl Call {
    pub fn as_(mut self, identity: Identity) -> Self {
        self.request.extensions_mut().insert(identity);
        self
    }

    /// # Panics
    /// If the value is no header value.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::try_from(value).expect("a test's header is valid");
        self.request
            .headers_mut()
            .append(HeaderName::from_static(name), value);
        self
    }

    pub fn key(self, idempotency_key: &str) -> Self {
        self.header("idempotency-key", idempotency_key)
    }

    /// # Panics
    /// If the body cannot be written as JSON.
    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("a test's body is plain data");
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .body(bytes)
    }

    pub fn body(mut self, bytes: impl Into<Body>) -> Self {
        *self.request.body_mut() = bytes.into();
        self
    }

    pub async fn send(self) -> Answer {
        let (router, request) = self.arrive();
        call(&router, request).await
    }

    /// Sends it and reads the response as server-sent events.
    ///
    /// # Panics
    /// If the response is not 200.
    pub async fn stream(self) -> EventStream {
        let (router, request) = self.arrive();
        let Ok(response) = router.oneshot(request).await;
        assert_eq!(response.status(), StatusCode::OK, "a stream was refused");
        EventStream::new(response.into_body())
    }

    pub(crate) fn arrive(mut self) -> (Router, Request<Body>) {
        let clock = ManualClock::default();
        let arrival = Arrival::new(&clock, &*self.client.ids, self.request.headers());
        let extensions = self.request.extensions_mut();
        extensions.insert(arrival);
        extensions.insert(ClientAddress(Some([192, 0, 2, 1].into())));
        (self.client.router, self.request)
    }
}

impl Answer {
    /// # Panics
    /// If the body is no such JSON.
    #[must_use]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    #[must_use]
    pub fn value(&self) -> Value {
        self.json()
    }

    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The slug of the problem that it carries.
    ///
    /// # Panics
    /// If it is no problem.
    #[must_use]
    pub fn problem(&self) -> String {
        let media_type = self.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"), "{self:?}");
        let body = self.value();
        assert_eq!(body["status"], self.status.as_u16());
        let kind = body["type"].as_str().unwrap_or_default();
        kind.trim_start_matches("/problems/").to_owned()
    }

    /// Itself, if it has this status.
    ///
    /// # Panics
    /// If it has not; shows the body.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
}
