//! Live streams of every kind through the gateway to one of two relays, each of which is killed in turn: the client
//! comes back with the last place that it saw, is served by the other, misses nothing and gets nothing twice.

mod client;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pasar_testkit::servers::Server;
use reqwest::Method;
use serde_json::json;

use self::client::{Client, Kind};
use crate::{
    api::Api,
    system::{Folder, System},
};

const TOPIC: &str = "failover";
const RELAY: &str = "relay";
/// Messages that are acknowledged before a kill, and after it.
const BETWEEN_KILLS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_at_the_other_instance_without_a_gap_or_a_repeat() {
    let Some(server) = Server::shared("postgres").await else {
        return;
    };
    let folder = Folder::of_cluster(&server.postgres_url(), "");
    let mut system = tokio::task::block_in_place(|| System::start_in(folder));
    let mut clients = Vec::new();
    for kind in Kind::ALL {
        clients.push(Client::start(kind, &system, TOPIC).await);
    }
    let sender = Sender::start(system.api("INTEGRATOR"));
    sender.send(BETWEEN_KILLS).await;
    let first = busiest(&system).await;
    // The first kill leaves all of them at the other, which the second takes from all of them.
    for number in [first, 1 - first] {
        system.kill_instance(RELAY, number);
        gathered(&system, 1 - number).await;
        sender.send(BETWEEN_KILLS).await;
        tokio::task::block_in_place(|| system.revive_instance(RELAY, number));
        ready(&system, number).await;
        sender.send(BETWEEN_KILLS).await;
    }
    let sent = sender.stop().await;
    assert!(sent.len() >= 5 * BETWEEN_KILLS);
    for client in clients {
        let kind = client.kind;
        let seen = client.until(&sent[sent.len() - 1]).await;
        assert!(seen.resumed > 0, "{kind:?} was never broken");
        assert_eq!(seen.gaps, 0, "{kind:?} was told of a gap");
        assert_eq!(seen.messages, sent, "{kind:?}");
        println!(
            "{kind:?}: {} messages, {} times resumed",
            sent.len(),
            seen.resumed
        );
    }
}

/// The relay with the most readers.
async fn busiest(system: &System) -> usize {
    let [zero, one] = [readers(system, 0).await, readers(system, 1).await];
    assert_eq!(zero + one, Kind::ALL.len(), "each has said where it begins");
    usize::from(one > zero)
}

/// Waits until an instance serves all clients.
async fn gathered(system: &System, number: usize) {
    let begun = Instant::now();
    while readers(system, number).await < Kind::ALL.len() {
        assert!(begun.elapsed() < PATIENCE, "not all are back");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn readers(system: &System, number: usize) -> usize {
    let text = asked(system, number, "/metrics").await.unwrap_or_default();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("pasar_live_readers "));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Waits until an instance says that it is ready.
async fn ready(system: &System, number: usize) {
    let begun = Instant::now();
    while asked(system, number, "/readyz").await.is_none() {
        assert!(begun.elapsed() < PATIENCE, "relay {number} is not ready");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn asked(system: &System, number: usize, path: &str) -> Option<String> {
    let port = system.folder().port(RELAY, number);
    let url = format!("http://127.0.0.1:{port}{path}");
    let answer = reqwest::get(url).await.ok()?;
    match answer.status().is_success() {
        true => answer.text().await.ok(),
        false => None,
    }
}

/// Sends one message after the other, each until it is acknowledged.
struct Sender {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Sender {
    fn start(api: Api) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let task = tokio::spawn(async move {
            let mut sent = Vec::new();
            while !stopped.load(Relaxed) {
                let id = format!("m-{}", sent.len());
                send_one(&api, &id).await;
                sent.push(id);
                AtomicUsize::fetch_add(&count, 1, Relaxed);
            }
            sent
        });
        Self {
            stop,
            acknowledged,
            task,
        }
    }

    /// Waits until so many more were acknowledged.
    async fn send(&self, messages: usize) {
        let begun = Instant::now();
        let wanted = self.acknowledged.load(Relaxed) + messages;
        while self.acknowledged.load(Relaxed) < wanted {
            assert!(begun.elapsed() < PATIENCE, "no messages are taken");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The ids of all messages, in order.
    async fn stop(self) -> Vec<String> {
        self.stop.store(true, Relaxed);
        self.task.await.unwrap()
    }
}

/// The same id again is the same message.
async fn send_one(api: &Api, id: &str) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "{id} was not taken for so long");
        let message = json!({ "topic": TOPIC, "id": id, "data": id });
        let request = api.request(Method::POST, "/v1/messages").json(&message);
        if let Ok(answer) = request.send().await {
            let status = answer.status().as_u16();
            if status == 202 {
                return;
            }
            let text = answer.text().await.unwrap_or_default();
            assert!(matches!(status, 502..=504), "{status}: {text}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
