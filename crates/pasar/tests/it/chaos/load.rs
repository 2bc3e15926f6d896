//! Clients that order at a steady rate, and ask again with the same key when they are in doubt.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::api::{Api, fresh_key};

pub(super) const PRODUCT: &str = "chaos-tea";
const CLIENTS: usize = 4;
/// Of each client: together 20 a second.
const EVERY: Duration = Duration::from_millis(200);
/// A client that gets no answer for so long asks again.
const NO_ANSWER: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// A fault must not last longer than this for anybody.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<BTreeMap<String, String>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    repeated: AtomicUsize,
}

/// What the clients know in the end.
pub(super) struct Told {
    /// Order by key.
    pub(super) orders: BTreeMap<String, String>,
    pub(super) repeated: usize,
}

impl Load {
    pub(super) fn start(api: &Api) -> Self {
        let shared = Arc::<Shared>::default();
        let clients = (0..CLIENTS)
            .map(|_| tokio::spawn(order_all_the_time(api.clone(), Arc::clone(&shared))))
            .collect();
        Self { shared, clients }
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Relaxed)
    }

    /// Each client gets its last answer first.
    pub(super) async fn stop(self) -> Told {
        self.shared.stop.store(true, Relaxed);
        let mut orders = BTreeMap::new();
        for client in self.clients {
            orders.extend(client.await.unwrap());
        }
        let repeated = self.shared.repeated.load(Relaxed);
        Told { orders, repeated }
    }
}

async fn order_all_the_time(api: Api, shared: Arc<Shared>) -> BTreeMap<String, String> {
    let mut orders = BTreeMap::new();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !shared.stop.load(Relaxed) {
        tick.tick().await;
        let key = fresh_key();
        let begun = Instant::now();
        let order = loop {
            if let Some(order) = place(&api, &key, NO_ANSWER).await {
                break order;
            }
            assert!(begun.elapsed() < PATIENCE, "an order is not taken");
            shared.repeated.fetch_add(1, Relaxed);
            tokio::time::sleep(AGAIN_AFTER).await;
        };
        orders.insert(key, order["id"].as_str().unwrap().to_owned());
        shared.acknowledged.fetch_add(1, Relaxed);
    }
    orders
}

/// Asks once. `None` if it is to be asked again.
pub(super) async fn place(api: &Api, key: &str, within: Duration) -> Option<Value> {
    let body = json!({
        "lines": [{ "sku": PRODUCT, "quantity": 1 }],
        "payment": { "method": "bank", "token": "tok_ok" },
    });
    let request = api
        .request(Method::POST, "/v1/orders")
        .timeout(within)
        .header("idempotency-key", key)
        .json(&body);
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let answer: Value = response.json().await.ok()?;
    match status {
        201 => Some(answer),
        429 | 502..=504 => None,
        _ => panic!("{status}: {answer:#}"),
    }
}
