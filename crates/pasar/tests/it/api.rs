//! Calls over HTTP as a client makes them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::body::Body;
use pasar_testkit::sse::EventStream;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

/// Calls in one role.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null if the body is no JSON.
    pub(crate) body: Value,
}

/// Longer than anything that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(70);
const AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Api {
    pub(crate) fn new(url: &str, key: Option<String>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .build()
            .unwrap();
        Self {
            http,
            url: url.to_owned(),
            key,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.url)
        };
        let request = self.http.request(method, url);
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The same as somebody who has logged in.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            key: Some(token.to_owned()),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// With a fresh idempotency key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_again(path, &fresh_key(), body).await
    }

    pub(crate) async fn post_again(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("idempotency-key", key);
        send(request.json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    /// Places an order and waits until it is settled, at most so long. Whoever is told that it is too busy asks
    /// again, as clients should.
    pub(crate) async fn order(&self, wait_s: u32, body: &Value) -> Answer {
        let key = fresh_key();
        let begun = Instant::now();
        loop {
            let request = self
                .request(Method::POST, "/v1/orders")
                .header("idempotency-key", &key)
                .header("prefer", format!("wait={wait_s}"));
            let answer = send(request.json(body)).await;
            if answer.problem() != "overloaded" || begun.elapsed() > TIMEOUT {
                return answer;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Reads an order until its state is none of those in which it moves by itself.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        loop {
            let order = self.get(&format!("/v1/orders/{id}")).await.expect(200);
            if !matches!(order["state"].as_str().unwrap(), "placed" | "cancelling") {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn stream(&self, path: &str) -> EventStream {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        EventStream::new(Body::from_stream(response.bytes_stream()))
    }

    /// A product that is counted, with so many units of it.
    pub(crate) async fn product(&self, sku: &str, units: u32) {
        let body =
            json!({ "name": sku, "price": { "amount_minor": 1_500_000, "currency": "IDR" } });
        self.put(&format!("/v1/products/{sku}"), &body)
            .await
            .expect_success();
        if units > 0 {
            let intake = json!({ "quantity": units });
            self.post(&format!("/v1/stock/{sku}/intakes"), &intake)
                .await
                .expect_success();
        }
    }

    /// (on hand, reserved) of a product.
    pub(crate) async fn stock(&self, sku: &str) -> (i64, i64) {
        let level = self.get(&format!("/v1/stock/{sku}")).await.expect(200);
        (
            level["on_hand"].as_i64().unwrap(),
            level["reserved"].as_i64().unwrap(),
        )
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn expect_success(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{}: {:#}",
            self.status,
            self.body
        );
        self.body
    }

    /// The slug of the problem that it carries.
    pub(crate) fn problem(&self) -> &str {
        let slug = self.body["type"].as_str().unwrap_or_default();
        slug.strip_prefix("/problems/").unwrap_or(slug)
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Answer {
        status,
        headers,
        body,
    }
}

pub(crate) fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// An order of (SKU, quantity) lines that is paid with a token of the sandbox.
pub(crate) fn order_of(lines: &[(&str, u32)], token: &str) -> Value {
    json!({ "lines": lines_of(lines), "payment": { "method": "sandbox", "token": token } })
}

/// An order that is paid at the counter.
pub(crate) fn cash_order_of(lines: &[(&str, u32)]) -> Value {
    json!({ "lines": lines_of(lines), "payment": { "method": "cash" } })
}

fn lines_of(lines: &[(&str, u32)]) -> Vec<Value> {
    lines
        .iter()
        .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
        .collect()
}
