//! What was heard, posted on as a webhook (Standard Webhooks), for developing a receiver on a laptop.

use std::time::Duration;

use anyhow::Context as _;
use pasar_chassis::signature::{self, Secret};
use pasar_store::clock::{Clock as _, SystemClock};
use reqwest::{Url, header::CONTENT_TYPE};
use serde_json::Value;

pub(super) struct Forward {
    http: reqwest::Client,
    url: Url,
    secret: Option<Secret>,
}

const TIMEOUT: Duration = Duration::from_secs(15);
/// Of an answer this much is shown.
const SHOWN: usize = 200;

impl Forward {
    pub(super) fn new(url: &str, secret: Option<Secret>) -> anyhow::Result<Self> {
        let url = url.parse().with_context(|| {
            format!("{url:?} is no address; give it like --forward http://127.0.0.1:3000/hook")
        })?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http, url, secret })
    }

    /// Posts it, once, and says what was answered.
    pub(super) async fn send(&mut self, event: &str) -> String {
        let id = serde_json::from_str::<Value>(event)
            .ok()
            .and_then(|event| event["id"].as_str().map(str::to_owned))
            .unwrap_or_default();
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json")
            .body(event.to_owned());
        if let Some(secret) = &self.secret {
            let headers = signature::headers(secret, &id, SystemClock.now(), event.as_bytes());
            request = request.headers(headers);
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                let text = response.text().await.unwrap_or_default();
                let text: String = text.trim().chars().take(SHOWN).collect();
                format!("{status} {text}").trim_end().to_owned()
            }
            Err(error) if error.is_connect() => format!("nothing answers at {}", self.url),
            Err(error) if error.is_timeout() => {
                format!("{} did not answer in {} s", self.url, TIMEOUT.as_secs())
            }
            Err(_) => format!("the connection to {} broke", self.url),
        }
    }
}
