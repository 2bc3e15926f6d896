//! What the gateway asks the users service, wherever that runs.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use pasar_chassis::{
    cause::Arrival,
    host::Host,
    identity::{ClientAddress, Identity},
};
use pasar_contracts::{
    api::users::{Jwks, SessionStatus, VerifiedApiKey, VerifyCredentials},
    event::Service,
};
use pasar_store::{clock::Clock, ids::Ids};
use pasar_types::id::SessionId;
use serde::de::DeserializeOwned;

use crate::upstream::Upstream;

pub(super) struct Users {
    upstream: Upstream,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// Users did not answer, or not as agreed. Logged where it was met.
#[derive(Clone, Copy, Debug)]
pub(super) struct UsersUnavailable;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: usize = 64 * 1024;

impl Users {
    pub(super) fn new(upstream: Upstream, host: &Host) -> Self {
        Self {
            upstream,
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
        }
    }

    pub(super) async fn jwks(&self) -> Result<Jwks, UsersUnavailable> {
        self.call(Method::GET, "/.well-known/jwks.json", Body::empty())
            .await?
            .ok_or(UsersUnavailable)
    }

    /// `None` if the key is not valid.
    pub(super) async fn verify_api_key(
        &self,
        key: &str,
    ) -> Result<Option<VerifiedApiKey>, UsersUnavailable> {
        let question = serde_json::to_vec(&VerifyCredentials {
            api_key: key.to_owned(),
        })
        .map_err(|_| UsersUnavailable)?;
        self.call(
            Method::POST,
            "/internal/v1/credentials/verify",
            question.into(),
        )
        .await
    }

    /// `None` if there is no such session.
    pub(super) async fn session(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionStatus>, UsersUnavailable> {
        self.call(
            Method::GET,
            &format!("/internal/v1/sessions/{session}"),
            Body::empty(),
        )
        .await
    }

    /// `None` when users says no (401, 404).
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Option<T>, UsersUnavailable> {
        let asked = tokio::time::timeout(TIMEOUT, self.ask(method, path, body)).await;
        let Ok(Some((status, body))) = asked else {
            tracing::warn!(path, "the users service did not answer");
            return Err(UsersUnavailable);
        };
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map(Some).map_err(|error| {
                tracing::error!(path, %error, "the users service answered something else");
                UsersUnavailable
            }),
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND => Ok(None),
            status => {
                tracing::warn!(path, %status, "the users service refused to answer");
                Err(UsersUnavailable)
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Body) -> Option<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .extension(Arrival::new(&*self.clock, &*self.ids, &HeaderMap::new()))
            .extension(Identity::service(Service::Gateway))
            .extension(ClientAddress(None))
            .body(body)
            .ok()?;
        let answer = self.upstream.call(request).await.ok()?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .ok()?;
        Some((status, body.to_bytes()))
    }
}
