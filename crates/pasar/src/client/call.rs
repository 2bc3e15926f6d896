//! What is asked of the API. A call can be sent again and means the same.

use std::time::Duration;

use reqwest::Method;
use serde::Serialize;

/// One call; repeated with the same body and key.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Vec<u8>>,
    pub(super) idempotency_key: Option<String>,
    pub(super) wait: Option<Duration>,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn put(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new(Method::PUT, path).body(body)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A POST that comes to the same when it is repeated, or is sent by [`super::Client::once`].
    pub(crate) fn act(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// The same with a body.
    pub(crate) fn act_with(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    /// Any other POST is only ever sent with an idempotency key: repeating it is then safe.
    pub(crate) fn post(
        path: impl Into<String>,
        idempotency_key: impl Into<String>,
        body: &impl Serialize,
    ) -> Self {
        let mut call = Self::new(Method::POST, path).body(body);
        call.idempotency_key = Some(idempotency_key.into());
        call
    }

    /// Asks the server to answer only once it has something final to say, at most after `span`.
    pub(crate) fn wait(mut self, span: Duration) -> Self {
        self.wait = Some(span);
        self
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            idempotency_key: None,
            wait: None,
        }
    }

    fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).expect("request bodies have text keys only"));
        self
    }
}
