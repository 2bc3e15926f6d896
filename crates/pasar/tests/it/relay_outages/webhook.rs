//! A webhook's receiver that goes away as a killed process does: its connections break and its port refuses.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use pasar_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Far, ORDERINGS};
use crate::{relay_alone::number_of, relay_reader::Came};

pub(super) struct Webhook {
    address: SocketAddr,
    came: Arc<Mutex<[Vec<Came>; ORDERINGS.len()]>>,
    receiver: Option<Receiver>,
}

impl Far for Webhook {
    const COSTS_ATTEMPTS: bool = true;

    async fn start() -> Option<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut webhook = Self {
            address: listener.local_addr().unwrap(),
            came: Arc::default(),
            receiver: None,
        };
        webhook.listen(listener);
        Some(webhook)
    }

    fn settings(&self, ordering: usize) -> Value {
        json!({ "kind": "rest", "url": format!("http://{}/{ordering}", self.address) })
    }

    async fn kill(&mut self) {
        self.receiver = None;
    }

    async fn start_again(&mut self) {
        self.listen(TcpListener::bind(self.address).await.unwrap());
    }

    fn came(&self, ordering: usize) -> Vec<Came> {
        self.came.lock().unwrap()[ordering].clone()
    }
}

impl Webhook {
    fn listen(&mut self, listener: TcpListener) {
        let came = Arc::clone(&self.came);
        let receiver = Receiver::start_on(listener, move |received| {
            let ordering: usize = received.path[1..].parse().unwrap();
            let number = number_of(received.json()["id"].as_str().unwrap());
            let at = Instant::now();
            came.lock().unwrap()[ordering].push(Came { number, at });
            Reply::ok()
        });
        self.receiver = Some(receiver);
    }
}
