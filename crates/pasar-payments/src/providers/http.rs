//! The merchant's own signed URL (`docs/http-provider.md`): any payment service fits without Rust.
//!
//! The address comes from the operator's configuration, so it may be private. Redirects and proxies
//! are not followed, and an answer is read up to a limit.

use std::{sync::Arc, time::Duration};

use axum::http::header::CONTENT_TYPE;
use futures_util::future::BoxFuture;
use pasar_chassis::signature::{self, Secret};
use pasar_contracts::api::payments::{ProviderAnswer, ProviderRequest};
use pasar_store::clock::Clock;
use reqwest::{Client, Response, redirect};
use tokio::sync::Semaphore;

use crate::{
    config::HttpConfig,
    provider::{Call, NoAnswer, Provider},
};

/// What is read of an answer; more is not an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub struct HttpProvider {
    client: Client,
    url: String,
    secret: Secret,
    timeout: Duration,
    permits: Semaphore,
    clock: Arc<dyn Clock>,
}

impl HttpProvider {
    pub fn new(config: &HttpConfig, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_max_idle_per_host(config.max_in_flight)
            .user_agent(concat!("pasar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let secret = config
            .secrets
            .first()
            .cloned()
            .expect("the configuration was checked to have a secret");
        Ok(Self {
            client,
            url: config.url.clone(),
            secret,
            timeout,
            permits: Semaphore::new(config.max_in_flight),
            clock,
        })
    }

    async fn ask(&self, request: &ProviderRequest) -> Result<ProviderAnswer, NoAnswer> {
        let body = serde_json::to_vec(request)
            .map_err(|error| NoAnswer::Unusable(format!("the request: {error}")))?;
        let id = &request.idempotency_key;
        let now = self.clock.now();
        let response = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .headers(signature::headers(&self.secret, id, now, &body))
            .body(body)
            .send()
            .await
            .map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(NoAnswer::Status(response.status().as_u16()));
        }
        let answer = read_capped(response).await?;
        serde_json::from_slice(&answer).map_err(|error| NoAnswer::Unusable(error.to_string()))
    }
}

impl Provider for HttpProvider {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<ProviderAnswer, NoAnswer>> {
        Box::pin(async move {
            let _permit = self.permits.acquire().await;
            match tokio::time::timeout(self.timeout, self.ask(&call.request)).await {
                Ok(answer) => answer,
                Err(_) => Err(NoAnswer::Timeout(self.timeout)),
            }
        })
    }
}

async fn read_capped(mut response: Response) -> Result<Vec<u8>, NoAnswer> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(NoAnswer::Unusable(format!(
                "it is longer than {MAX_ANSWER_BYTES} bytes"
            )));
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// The address may carry what is nobody's business: it stays out of logs.
fn unreachable(error: reqwest::Error) -> NoAnswer {
    NoAnswer::Unreachable(Box::new(error.without_url()))
}
