//! The destination of all subscriptions: it counts by message, refuses some the first time, and watches the
//! order in which messages come first.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle};

pub(super) struct Receiver {
    address: SocketAddr,
    arrived: Arc<Mutex<BTreeMap<String, Arrived>>>,
    task: JoinHandle<()>,
}

/// What came of one subscription.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrived {
    /// By message id: how often it was refused, and how often it was taken.
    pub(super) messages: HashMap<String, Times>,
    /// What contradicts the ordering that was asked for.
    pub(super) disorder: Vec<String>,
    /// Under each key, or under all, the message that came newest.
    newest: HashMap<String, (i64, String)>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) refused: u32,
    pub(super) taken: u32,
}

/// What a structured CloudEvent says, as far as it is looked at.
#[derive(Deserialize)]
struct Event {
    id: String,
    partitionkey: String,
    position: String,
}

/// Every so many messages are refused the first time.
const REFUSED: u64 = 97;
const MOST_DISORDER: usize = 20;

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::default());
        let router = Router::new()
            .route("/{ordering}", post(take))
            .with_state(Arc::clone(&arrived));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            arrived,
            task,
        }
    }

    pub(super) fn url(&self, ordering: &str) -> String {
        format!("http://{}/{ordering}", self.address)
    }

    pub(super) fn has_taken(&self, ordering: &str, id: &str) -> bool {
        let arrived = self.arrived.lock().unwrap();
        arrived
            .get(ordering)
            .and_then(|arrived| arrived.messages.get(id))
            .is_some_and(|times| times.taken > 0)
    }

    pub(super) fn arrived(&self) -> BTreeMap<String, Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    State(arrived): State<Arc<Mutex<BTreeMap<String, Arrived>>>>,
    Path(ordering): Path<String>,
    body: Bytes,
) -> StatusCode {
    let event: Event = serde_json::from_slice(&body).unwrap();
    let mut arrived = arrived.lock().unwrap();
    let of = arrived.entry(ordering.clone()).or_default();
    of.take(&ordering, &event)
}

impl Arrived {
    fn take(&mut self, ordering: &str, event: &Event) -> StatusCode {
        let position: i64 = event.position.parse().unwrap();
        if !self.messages.contains_key(&event.id) {
            self.note_order(ordering, position, event);
        }
        let times = self.messages.entry(event.id.clone()).or_default();
        let is_refused = hash(&event.id).is_multiple_of(REFUSED);
        if is_refused && times.refused == 0 && times.taken == 0 {
            times.refused += 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        times.taken += 1;
        StatusCode::OK
    }

    /// What comes for the first time comes after the one before it was taken.
    fn note_order(&mut self, ordering: &str, position: i64, event: &Event) {
        let under = match ordering {
            "key" => event.partitionkey.as_str(),
            "strict" => "",
            _ => return,
        };
        let newest = self
            .newest
            .insert(under.to_owned(), (position, event.id.clone()));
        let Some((before, id)) = newest else {
            return;
        };
        let taken = self.messages.get(&id).is_some_and(|times| times.taken > 0);
        if (before >= position || !taken) && self.disorder.len() < MOST_DISORDER {
            self.disorder.push(format!(
                "{} at {position} came first after {id} at {before}, which was {}taken",
                event.id,
                if taken { "" } else { "not " }
            ));
        }
    }
}

/// FNV-1a, the same in every run.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
