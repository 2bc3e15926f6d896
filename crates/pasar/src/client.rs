//! Calls to a running Pasar over its public API.
//!
//! Waits as it is told to (429, 503) and repeats only what is safe to repeat; every error says what to do next.

mod call;
mod problem;
mod stream;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use pasar_contracts::api::users::Role;
use reqwest::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

pub(crate) use self::{call::Call, problem::Problem};
use crate::demo_env::{self, DemoEnv};

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// Above the longest `Prefer: wait`, so that a wait never looks like a dead server.
const CALL_TIMEOUT: Duration = Duration::from_secs(90);
/// What is waited when the answer does not say how long.
const DEFAULT_PAUSE: Duration = Duration::from_millis(500);
/// A longer `Retry-After` is cut to this and asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long one call is repeated before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a server that was there a moment ago may take to come back: a restart.
const UNREACHABLE_PATIENCE: Duration = Duration::from_secs(60);

/// Where Pasar answers, and as whom to call.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// Address of the running Pasar [default: the demo's, else http://127.0.0.1:8080]
    #[arg(long, env = "PASAR_URL")]
    pub(crate) url: Option<String>,
    /// API key or access token [default: the demo's, from demo.env in the data folder]
    #[arg(long, env = "PASAR_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Data folder in which demo.env is looked for
    #[arg(long, env = "PASAR_DATA", default_value = "pasar-data")]
    pub(crate) data: PathBuf,
}

/// Why a call did not give what was asked for.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The system answered, and refused.
    Refused(Problem),
    /// No answer, or one that cannot be read.
    Failed(anyhow::Error),
}

/// How often calls had to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// 429: asked to slow down.
    pub(crate) slowed: u64,
    /// 503 or 504: too busy, or not sure.
    pub(crate) busy: u64,
    /// The connection failed.
    pub(crate) unreachable: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Target {
    /// Connects as `--key`, or as the demo's first of `roles` that there is a key for.
    pub(crate) fn client(&self, roles: &[Role]) -> anyhow::Result<Client> {
        let demo = DemoEnv::read(&self.data)?.unwrap_or_default();
        let base = self
            .url
            .as_deref()
            .or_else(|| demo.get("PASAR"))
            .unwrap_or(DEFAULT_URL)
            .trim_end_matches('/')
            .to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!(
                "the address {base:?} does not begin with http:// or https://; give it like --url {DEFAULT_URL}"
            );
        }
        let demo_key = || {
            roles.iter().find_map(|role| {
                let (_, name) = demo_env::ROLES.iter().find(|(known, _)| known == role)?;
                demo.get(name).map(str::to_owned)
            })
        };
        // The demo's keys are for the demo's own address: nobody else is shown them.
        let own = self.url.is_none() || self.url.as_deref() == demo.get("PASAR");
        let key = self.key.clone().or_else(|| own.then(demo_key).flatten());
        Client::new(base, key)
    }
}

impl Client {
    /// `base` without a slash at its end.
    pub(crate) fn new(base: String, key: Option<String>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http, base, key })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends the call, waiting and repeating while the system asks for it, and reads the answer's JSON.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call,
        waits: &mut Waits,
    ) -> Result<T, CallError> {
        let start = Instant::now();
        loop {
            let pause = match self.send(call).await {
                Ok(response) => {
                    let status = response.status();
                    if status.is_success() {
                        return self.read(response).await;
                    }
                    match pause_of(&response) {
                        Some(pause) if Instant::now() + pause < start + PATIENCE => {
                            waits.count(status);
                            pause
                        }
                        _ => return Err(self.refusal(response).await),
                    }
                }
                Err(error)
                    if Instant::now() < start + UNREACHABLE_PATIENCE && !error.is_timeout() =>
                {
                    waits.unreachable += 1;
                    DEFAULT_PAUSE
                }
                Err(error) => return Err(CallError::Failed(self.unreachable(error))),
            };
            sleep(pause).await;
        }
    }

    /// Fails early, with advice, if nothing answers there or the key is not accepted.
    pub(crate) async fn greet(&self) -> anyhow::Result<()> {
        let response = self
            .send(&Call::get("/healthz"))
            .await
            .map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(());
        }
        let refusal = anyhow::Error::from(self.refusal(response).await);
        Err(refusal.context(format!("{} does not take the call", self.base)))
    }

    async fn send(&self, call: &Call) -> reqwest::Result<reqwest::Response> {
        let mut request = self
            .http
            .request(call.method.clone(), format!("{}{}", self.base, call.path));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(wait) = call.wait {
            request = request.header("prefer", format!("wait={}", wait.as_secs()));
        }
        if let Some(body) = &call.body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        request.send().await
    }

    /// The JSON of a success; an empty one is read as `null`.
    async fn read<T: DeserializeOwned>(&self, response: reqwest::Response) -> Result<T, CallError> {
        let body = response
            .bytes()
            .await
            .map_err(|error| self.unreadable(error))?;
        let body = if body.is_empty() { &b"null"[..] } else { &body };
        serde_json::from_slice(body).map_err(|error| self.unreadable(error))
    }

    async fn refusal(&self, response: reqwest::Response) -> CallError {
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap_or_default();
        let mut problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        problem.status = status;
        CallError::Refused(problem)
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let advice = if error.is_timeout() {
            format!(
                "{} did not answer in {} s; see its log",
                self.base,
                CALL_TIMEOUT.as_secs()
            )
        } else if error.is_connect() {
            format!(
                "nothing answers at {}; start it with `pasar up --demo`, or say with --url where it is",
                self.base
            )
        } else {
            format!("the connection to {} broke; try again", self.base)
        };
        anyhow!(error.without_url()).context(advice)
    }

    fn unreadable(&self, error: impl std::error::Error + Send + Sync + 'static) -> CallError {
        CallError::Failed(anyhow!(error).context(format!(
            "the answer of {} cannot be read; check that --url leads to this version of Pasar",
            self.base
        )))
    }
}

impl From<CallError> for anyhow::Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(problem) => anyhow!(problem.in_words()),
            CallError::Failed(error) => error,
        }
    }
}

impl Waits {
    pub(crate) fn add(&mut self, other: Self) {
        self.slowed += other.slowed;
        self.busy += other.busy;
        self.unreachable += other.unreachable;
    }

    fn count(&mut self, status: StatusCode) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.slowed += 1;
        } else {
            self.busy += 1;
        }
    }
}

/// How long to wait before the same call again; `None` if that would not help.
fn pause_of(response: &reqwest::Response) -> Option<Duration> {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let asked = response.headers().get(header::RETRY_AFTER);
            Some(
                asked
                    .and_then(|value| retry_after(value.to_str().ok()?))
                    .unwrap_or(DEFAULT_PAUSE),
            )
        }
        _ => None,
    }
}

fn retry_after(value: &str) -> Option<Duration> {
    let seconds = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Gives these answers one after the other, and keeps what it was asked.
    async fn server(answers: &'static [&'static str]) -> (Client, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                heard
                    .lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&request[..read]).to_lowercase());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let target = Target {
            url: Some(url),
            key: Some("pasar_sk_x".to_owned()),
            data: PathBuf::from("nowhere"),
        };
        (target.client(&[]).unwrap(), asked)
    }

    #[tokio::test]
    async fn a_busy_server_is_asked_again_with_the_same_key_and_body() {
        let (client, asked) = server(&[
            "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 429 Slow\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 201 Created\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"id\":1}",
        ])
        .await;
        let mut waits = Waits::default();
        let call = Call::post("/v1/orders", "key-1", &json!({"a": 1})).wait(Duration::from_secs(5));
        let answer: Value = client.call(&call, &mut waits).await.unwrap();
        assert_eq!(answer, json!({"id": 1}));
        assert_eq!(
            waits,
            Waits {
                slowed: 1,
                busy: 1,
                unreachable: 0
            }
        );
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 3);
        for request in asked.iter() {
            for part in [
                "idempotency-key: key-1",
                "prefer: wait=5",
                "bearer pasar_sk_x",
                "{\"a\":1}",
            ] {
                assert!(request.contains(part), "{part} is missing in {request}");
            }
        }
    }

    #[tokio::test]
    async fn a_refusal_says_what_is_wrong_and_what_to_do() {
        let (client, _) = server(&["HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n\
             {\"type\":\"/problems/forbidden\",\"title\":\"Not allowed\",\"status\":403}"])
        .await;
        let outcome = client
            .call::<Value>(&Call::get("/v1/users"), &mut Waits::default())
            .await;
        let Err(CallError::Refused(problem)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(problem.slug(), "forbidden");
        assert_eq!(
            problem.in_words(),
            "Not allowed: use a key whose role may do this (`STAFF` or `ADMIN` of demo.env)"
        );
    }

    #[tokio::test]
    async fn when_nothing_answers_it_says_how_to_start_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let target = Target {
            url: Some(url.clone()),
            key: None,
            data: PathBuf::from("nowhere"),
        };
        let error = target
            .client(&[])
            .unwrap()
            .greet()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&url) && error.contains("pasar up --demo"),
            "{error}"
        );
    }

    #[test]
    fn the_demos_keys_are_for_the_demos_own_address() {
        let data = tempfile::tempdir().unwrap();
        let mut demo = DemoEnv::default();
        demo.set("PASAR", "http://127.0.0.1:1");
        demo.set("STAFF", "pasar_sk_staff");
        demo.write(data.path()).unwrap();
        let key = |url: Option<&str>| {
            let target = Target {
                url: url.map(str::to_owned),
                key: None,
                data: data.path().to_owned(),
            };
            target.client(&[Role::Admin, Role::Staff]).unwrap().key
        };
        assert_eq!(key(None).as_deref(), Some("pasar_sk_staff"));
        assert_eq!(
            key(Some("http://127.0.0.1:1")).as_deref(),
            Some("pasar_sk_staff")
        );
        assert_eq!(key(Some("https://shop.example")), None);
    }
}
