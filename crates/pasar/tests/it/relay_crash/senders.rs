//! Clients that send all the time and remember what they were told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::Api;

const CLIENTS: usize = 4;
/// Keys of each client.
const KEYS: u64 = 3;
/// Between two messages of a client: the strict subscription is to keep up.
const PAUSE: Duration = Duration::from_millis(10);
/// A client that gets no answer for so long takes the relay for dead.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// What all clients together know.
#[derive(Default)]
pub(super) struct Senders {
    /// Ids of messages.
    pub(super) acknowledged: BTreeSet<String>,
    clients: Vec<Client>,
    pub(super) repeated: usize,
    now: Arc<AtomicUsize>,
}

/// One client sends one message after the other: of one key in order.
#[derive(Clone, Debug)]
struct Client {
    number: usize,
    /// The next message, which was not acknowledged.
    next: u64,
    /// Whether it was sent already, without an answer.
    is_unanswered: bool,
}

pub(super) struct Sending {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Told>>,
}

struct Told {
    client: Client,
    acknowledged: Vec<String>,
    repeated: usize,
}

impl Senders {
    /// Starts the clients, which first repeat what they had no answer to.
    pub(super) fn start(&mut self, api: &Api) -> Sending {
        if self.clients.is_empty() {
            self.clients = (0..CLIENTS).map(Client::new).collect();
        }
        let stop = Arc::new(AtomicBool::new(false));
        self.now.store(0, Ordering::Relaxed);
        let tasks = self
            .clients
            .drain(..)
            .map(|client| {
                let (api, stop, now) = (api.clone(), Arc::clone(&stop), Arc::clone(&self.now));
                tokio::spawn(client.send_until(api, stop, now))
            })
            .collect();
        Sending { stop, tasks }
    }

    /// How many messages were acknowledged since the last start.
    pub(super) fn acknowledged_now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// On a relay that stays: every message gets its answer.
    pub(super) async fn repeat_unanswered(&mut self, api: &Api) {
        for client in &mut self.clients {
            while client.is_unanswered {
                self.repeated += 1;
                self.acknowledged.extend(client.send(api).await);
            }
        }
    }
}

impl Sending {
    /// Ends them; returns how many messages were acknowledged.
    pub(super) async fn stop(self, senders: &mut Senders) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            let told = task.await.unwrap();
            senders.clients.push(told.client);
            senders.acknowledged.extend(told.acknowledged);
            senders.repeated += told.repeated;
        }
        senders.acknowledged_now()
    }
}

impl Client {
    const fn new(number: usize) -> Self {
        Self {
            number,
            next: 0,
            is_unanswered: false,
        }
    }

    async fn send_until(mut self, api: Api, stop: Arc<AtomicBool>, now: Arc<AtomicUsize>) -> Told {
        let mut acknowledged = Vec::new();
        let mut repeated = 0;
        while !stop.load(Ordering::Relaxed) {
            repeated += usize::from(self.is_unanswered);
            match self.send(&api).await {
                Some(id) => {
                    acknowledged.push(id);
                    now.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                }
                // It is dead: the next start is told the same again.
                None if self.is_unanswered => break,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Told {
            client: self,
            acknowledged,
            repeated,
        }
    }

    /// Sends the next message once; its id if it was acknowledged.
    async fn send(&mut self, api: &Api) -> Option<String> {
        let id = format!("c{}-{}", self.number, self.next);
        let message = json!({
            "id": id,
            "key": format!("c{}-k{}", self.number, self.next % KEYS),
            "data": { "n": self.next },
        });
        let call = api
            .request(reqwest::Method::POST, "/v1/messages")
            .timeout(NO_ANSWER)
            .json(&message);
        let answer = async {
            let response = call.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.json::<Value>().await?))
        };
        match answer.await {
            Ok((202, answer)) => {
                assert_eq!(answer["id"], id, "{answer:#}");
                self.next += 1;
                self.is_unanswered = false;
                Some(id)
            }
            Ok((429 | 503 | 504, _)) => None,
            Ok((status, problem)) => panic!("{status}: {problem:#}"),
            Err(_) => {
                self.is_unanswered = true;
                None
            }
        }
    }
}
