//! A client that reads the topic as server-sent events and comes back with the last id that it saw, whenever
//! the stream ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{sync::watch, task::JoinHandle};

pub(super) struct Reader {
    url: watch::Sender<Option<String>>,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What it read.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// By message id: how often it came.
    pub(super) messages: HashMap<String, u32>,
    /// Ids that did not grow, gaps, and what could not be read.
    pub(super) wrong: Vec<String>,
    pub(super) connections: usize,
    last_id: Option<i64>,
}

const MOST_WRONG: usize = 20;
/// Before the next try where nothing listens.
const PAUSE: Duration = Duration::from_millis(20);

impl Reader {
    pub(super) fn start() -> Self {
        let (url, urls) = watch::channel(None);
        let seen = Arc::new(Mutex::default());
        let task = tokio::spawn(read_on(urls, Arc::clone(&seen)));
        Self { url, seen, task }
    }

    /// Tells where the relay is now.
    pub(super) fn reach(&self, url: &str) {
        self.url.send_replace(Some(url.to_owned()));
    }

    pub(super) fn has_seen(&self, id: &str) -> bool {
        self.seen.lock().unwrap().messages.contains_key(id)
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_on(mut urls: watch::Receiver<Option<String>>, seen: Arc<Mutex<Seen>>) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        let url = urls.borrow_and_update().clone();
        if let Some(url) = url {
            // It ends when the relay does, whatever the error.
            let _ = read(&http, &url, &seen).await;
        }
        tokio::select! {
            changed = urls.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn read(http: &reqwest::Client, url: &str, seen: &Mutex<Seen>) -> Result<(), reqwest::Error> {
    let last = seen.lock().unwrap().last_id;
    let request = match last {
        None => http.get(format!("{url}/v1/streams/client?start=earliest")),
        Some(last) => http
            .get(format!("{url}/v1/streams/client"))
            .header("last-event-id", last.to_string()),
    };
    let response = request.send().await?;
    if response.status() != 200 {
        return Ok(());
    }
    seen.lock().unwrap().connections += 1;
    let mut body = response.bytes_stream();
    let mut unread = Vec::new();
    while let Some(piece) = body.next().await {
        unread.extend_from_slice(&piece?);
        // What is cut off by the kill is no event.
        while let Some(end) = unread.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = unread.drain(..end + 2).collect();
            seen.lock().unwrap().take(&String::from_utf8_lossy(&block));
        }
    }
    Ok(())
}

impl Seen {
    fn take(&mut self, block: &str) {
        let field = |name: &str| {
            block
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let Some(data) = field("data") else {
            return;
        };
        if field("event") == Some("gap") {
            self.note(format!("a gap: {block}"));
            return;
        }
        let id = field("id").and_then(|id| id.parse::<i64>().ok());
        let event: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
        let (Some(id), Some(message)) = (id, event["id"].as_str()) else {
            self.note(format!("no event: {block}"));
            return;
        };
        if self.last_id.is_some_and(|last| last >= id) {
            self.note(format!("{id} came after {:?}", self.last_id));
        }
        self.last_id = Some(id);
        *self.messages.entry(message.to_owned()).or_default() += 1;
    }

    fn note(&mut self, what: String) {
        if self.wrong.len() < MOST_WRONG {
            self.wrong.push(what);
        }
    }
}
