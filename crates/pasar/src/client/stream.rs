//! Calls that go on: bodies and answers without an end in time, and calls that are made once only.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::{Call, CallError, Client};

/// A stream that says nothing for so long is broken: Pasar's own send a heartbeat more often.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// The same client for streams.
    pub(crate) fn for_streams(&self) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self {
            http,
            ..self.clone()
        })
    }

    /// A request with the key, to be filled and opened.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends it; the answer's body is still to be read.
    pub(crate) async fn open(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let response = request
            .send()
            .await
            .map_err(|error| CallError::Failed(self.unreachable(error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// A call that must not happen twice and carries nothing that would prevent it: it is not repeated.
    pub(crate) async fn once<T: DeserializeOwned>(&self, call: &Call) -> Result<T, CallError> {
        let response = self
            .send(call)
            .await
            .map_err(|error| CallError::Failed(self.unreachable(error)))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        self.read(response).await
    }
}
