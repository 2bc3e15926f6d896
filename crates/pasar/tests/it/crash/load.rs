//! Clients that order all the time and remember what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::api::{Api, fresh_key};

pub(super) const PRODUCTS: [&str; 3] = ["crash-tea", "crash-cake", "crash-bun"];
const CLIENTS: usize = 8;
/// A client that gets no answer for so long takes the system for dead.
const NO_ANSWER: Duration = Duration::from_secs(10);

/// What all clients together know.
#[derive(Default)]
pub(super) struct Load {
    /// By idempotency key.
    pub(super) acknowledged: BTreeMap<String, Order>,
    /// Requests without an answer, which the client repeats with the same key.
    unanswered: Vec<Request>,
    /// Answers that named another order for the same key.
    pub(super) contradictions: Vec<String>,
    pub(super) repeated: usize,
    now: Arc<AtomicUsize>,
}

/// An order that was acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Must end confirmed.
    Paid,
    Declined,
    /// Nobody pays it: the clock cancels it.
    Cash,
}

#[derive(Clone, Debug)]
struct Request {
    key: String,
    kind: Kind,
    body: Value,
}

/// Clients at work.
pub(super) struct Clients {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Told>>,
}

#[derive(Default)]
struct Told {
    acknowledged: Vec<(Request, String)>,
    unanswered: Vec<Request>,
    repeated: usize,
}

impl Load {
    /// Starts the clients, which first repeat what they had no answer to.
    pub(super) fn start(&mut self, api: &Api) -> Clients {
        let stop = Arc::new(AtomicBool::new(false));
        self.now.store(0, Ordering::Relaxed);
        let mut repeat = std::mem::take(&mut self.unanswered);
        let tasks = (0..CLIENTS)
            .map(|client| {
                let share =
                    repeat.split_off(repeat.len() - repeat.len().div_ceil(CLIENTS - client));
                let (api, stop, now) = (api.clone(), Arc::clone(&stop), Arc::clone(&self.now));
                tokio::spawn(order_until(api, stop, now, share))
            })
            .collect();
        Clients { stop, tasks }
    }

    /// How many orders were acknowledged since the last start.
    pub(super) fn acknowledged_now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// On a system that stays: every request gets its answer.
    pub(super) async fn repeat_unanswered(&mut self, api: &Api) {
        let mut told = Told::default();
        for request in std::mem::take(&mut self.unanswered) {
            told.repeated += 1;
            while !place(api, &request, &mut told).await {}
        }
        assert!(
            told.unanswered.is_empty(),
            "a running system did not answer"
        );
        self.take_in(told);
    }

    fn take_in(&mut self, told: Told) {
        self.repeated += told.repeated;
        self.unanswered.extend(told.unanswered);
        for (request, id) in told.acknowledged {
            let order = Order {
                id: id.clone(),
                kind: request.kind,
            };
            if let Some(before) = self.acknowledged.insert(request.key.clone(), order)
                && before.id != id
            {
                self.contradictions
                    .push(format!("{}: {} and {id}", request.key, before.id));
            }
        }
    }
}

impl Clients {
    /// Ends them; returns how many orders were acknowledged.
    pub(super) async fn stop(self, load: &mut Load) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            let told = task.await.unwrap();
            load.take_in(told);
        }
        load.acknowledged_now()
    }
}

async fn order_until(
    api: Api,
    stop: Arc<AtomicBool>,
    now: Arc<AtomicUsize>,
    repeat: Vec<Request>,
) -> Told {
    let mut told = Told::default();
    let mut waiting = repeat;
    while !stop.load(Ordering::Relaxed) {
        let request = match waiting.pop() {
            Some(request) => {
                told.repeated += 1;
                request
            }
            None => Request::new(),
        };
        let before = told.acknowledged.len();
        if !place(&api, &request, &mut told).await {
            waiting.push(request);
        }
        now.fetch_add(told.acknowledged.len() - before, Ordering::Relaxed);
        if !told.unanswered.is_empty() {
            break;
        }
    }
    told.unanswered.extend(waiting);
    told
}

/// Asks once. False if the system was busy and the same request is to be made again.
async fn place(api: &Api, request: &Request, told: &mut Told) -> bool {
    let call = api
        .request(reqwest::Method::POST, "/v1/orders")
        .timeout(NO_ANSWER)
        .header("idempotency-key", &request.key)
        .json(&request.body);
    let answer = async {
        let response = call.send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.json::<Value>().await?))
    };
    match answer.await {
        Ok((201, order)) => {
            let id = order["id"].as_str().expect("an order has an id").to_owned();
            told.acknowledged.push((request.clone(), id));
            true
        }
        Ok((429 | 503 | 504, _)) => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            false
        }
        Ok((status, problem)) => panic!("{status}: {problem:#}"),
        Err(_) => {
            told.unanswered.push(request.clone());
            true
        }
    }
}

impl Request {
    fn new() -> Self {
        let key = fresh_key();
        let number: usize = key
            .rsplit('-')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let kind = match number % 10 {
            0 => Kind::Declined,
            1 => Kind::Cash,
            _ => Kind::Paid,
        };
        let payment = match kind {
            Kind::Paid => json!({ "method": "bank", "token": "tok_ok" }),
            Kind::Declined => json!({ "method": "bank", "token": "tok_declined" }),
            Kind::Cash => json!({ "method": "cash" }),
        };
        let line = |at: usize, quantity: usize| json!({ "sku": PRODUCTS[(number + at) % PRODUCTS.len()], "quantity": quantity });
        let body = json!({ "lines": [line(0, 1), line(1, 1 + number % 2)], "payment": payment });
        Self { key, kind, body }
    }
}
