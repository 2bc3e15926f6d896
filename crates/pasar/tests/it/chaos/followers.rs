//! Two who want to know of every order: a live stream that is taken up again where it broke, and a webhook.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt as _;
use pasar_testkit::receiver::{Receiver, Reply};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::Api;

/// What somebody was told.
#[derive(Default)]
pub(super) struct Heard {
    /// By id: key, version, and type.
    pub(super) events: BTreeMap<String, (String, i64, String)>,
    /// How often something came that had come before.
    pub(super) again: usize,
    /// How often the stream was taken up again.
    pub(super) resumed: usize,
    /// Events that came before one of a lower version of their key.
    pub(super) out_of_order: Vec<String>,
    newest: BTreeMap<String, i64>,
}

type Shared = Arc<Mutex<Heard>>;

pub(super) struct Follower {
    pub(super) heard: Shared,
    task: JoinHandle<()>,
}

pub(super) struct Webhook {
    pub(super) heard: Shared,
    _receiver: Receiver,
}

/// Heartbeats come more often than this.
const SILENCE: Duration = Duration::from_secs(20);
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const STREAM: &str = "/v1/streams/orders";

impl Heard {
    fn note(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (id, key) = (text("id"), text("partitionkey"));
        assert!(!id.is_empty() && !key.is_empty(), "{event:#}");
        let version = event["keyversion"].as_i64();
        let version = version.or_else(|| event["keyversion"].as_str()?.parse().ok());
        let version = version.unwrap_or_else(|| panic!("no version: {event:#}"));
        if self.events.contains_key(&id) {
            self.again += 1;
            return;
        }
        let newest = self.newest.insert(key.clone(), version).unwrap_or(0);
        if version != newest + 1 {
            self.out_of_order
                .push(format!("{key}: {version} after {newest}"));
        }
        self.events.insert(id, (key, version, text("type")));
    }

    /// The orders of which somebody was told that they are confirmed.
    pub(super) fn confirmed(&self) -> BTreeSet<&str> {
        let confirmed = |(_, _, kind): &&(String, i64, String)| kind == "order.confirmed.v1";
        let events = self.events.values().filter(confirmed);
        events.map(|(key, ..)| key.as_str()).collect()
    }
}

impl Follower {
    /// Follows from here on: what comes later than this returns is heard.
    pub(super) async fn start(api: Api) -> Self {
        let heard = Shared::default();
        let noting = Arc::clone(&heard);
        let mut last_id = None;
        let first = open(&api, None).await.expect("a stream can be followed");
        let task = tokio::spawn(async move {
            let mut stream = Some(first);
            loop {
                if let Some(response) = stream.take() {
                    read(response, &noting, &mut last_id).await;
                }
                tokio::time::sleep(AGAIN_AFTER).await;
                stream = open(&api, last_id.as_deref()).await;
                if stream.is_some() {
                    noting.lock().unwrap().resumed += 1;
                }
            }
        });
        Self { heard, task }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn open(api: &Api, last_id: Option<&str>) -> Option<reqwest::Response> {
    let mut request = api
        .request(Method::GET, STREAM)
        .timeout(Duration::from_secs(3600));
    if let Some(last_id) = last_id {
        request = request.header("last-event-id", last_id);
    }
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    assert!(matches!(status, 200 | 429 | 502..=504), "{status}");
    (status == 200).then_some(response)
}

/// Until it ends or breaks, or nothing comes for long.
async fn read(response: reqwest::Response, heard: &Shared, last_id: &mut Option<String>) {
    let mut bytes = response.bytes_stream();
    let mut unread = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, bytes.next()).await {
        unread.extend_from_slice(&chunk);
        while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = unread.drain(..end + 2).collect();
            let block = String::from_utf8(block).unwrap();
            for line in block.lines() {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                match (field, value.trim_start()) {
                    ("data", text) => {
                        let event: Value = serde_json::from_str(text).unwrap();
                        heard.lock().unwrap().note(&event);
                    }
                    ("id", id) => *last_id = Some(id.to_owned()),
                    _ => {}
                }
            }
        }
    }
}

impl Webhook {
    /// Each order's events in their order.
    pub(super) async fn subscribe(api: &Api) -> Self {
        let heard = Shared::default();
        let noting = Arc::clone(&heard);
        let receiver = Receiver::start(move |received| {
            noting.lock().unwrap().note(&received.json());
            Reply::ok()
        })
        .await;
        let subscription = json!({
            "topics": ["orders"],
            "destination": { "kind": "rest", "url": receiver.url("/") },
            "ordering": "key",
            "retry": { "first_s": 1, "most_s": 2 },
        });
        api.post("/v1/subscriptions", &subscription)
            .await
            .expect_success();
        Self {
            heard,
            _receiver: receiver,
        }
    }
}
