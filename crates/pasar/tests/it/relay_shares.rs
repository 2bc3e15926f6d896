//! Two relays as processes on one database: each delivers its share, one that is killed is missed by nobody, and one that
//! comes back gets its share again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use pasar_testkit::{receiver::Receiver, servers::Server};
use serde_json::json;

use crate::{
    api::Api,
    system::{Folder, System},
};

const RELAY: &str = "relay";
const SUBSCRIPTIONS: usize = 16;
const MESSAGES: usize = 30;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_delivers_its_share_and_that_of_one_that_is_killed() {
    let Some(server) = Server::shared("postgres").await else {
        return;
    };
    let folder = Folder::of_cluster(&server.postgres_url(), "");
    let mut system = tokio::task::block_in_place(|| System::start_in(folder));
    let (api, receiver) = (system.api("INTEGRATOR"), Receiver::ok().await);
    shared_out(&system, [2, 2]).await;
    for number in 0..SUBSCRIPTIONS {
        let url = receiver.url(&format!("/{number}"));
        let destination = json!({ "kind": "rest", "url": url });
        let wanted = json!({ "topics": ["shares"], "destination": destination });
        let created = api.post("/v1/subscriptions", &wanted).await;
        created.expect(201);
    }
    let mut sent = send(&api, "before").await;
    arrived(&receiver, &sent).await;
    let came = receiver.received().len();
    assert_eq!(came, SUBSCRIPTIONS * MESSAGES, "nothing comes twice");
    system.kill_instance(RELAY, 0);
    sent.extend(send(&api, "killed").await);
    arrived(&receiver, &sent).await;
    tokio::task::block_in_place(|| system.revive_instance(RELAY, 0));
    shared_out(&system, [2, 2]).await;
    let came = receiver.received().len();
    let after = send(&api, "revived").await;
    arrived(&receiver, &after).await;
    let more = receiver.received().len() - came;
    assert_eq!(more, SUBSCRIPTIONS * MESSAGES, "nothing comes twice");
}

/// Answers the ids.
async fn send(api: &Api, when: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for number in 0..MESSAGES {
        let id = format!("{when}-{number}");
        let message = json!({ "topic": "shares", "id": id, "data": number });
        // One that was on its way to an instance that is killed is the same message when it is sent again.
        let begun = Instant::now();
        while api.post("/v1/messages", &message).await.status != 202 {
            assert!(begun.elapsed() < PATIENCE, "{id} is not taken");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        ids.insert(id);
    }
    ids
}

/// Waits until each subscription has each of these messages.
async fn arrived(receiver: &Receiver, ids: &BTreeSet<String>) {
    let begun = Instant::now();
    loop {
        let mut came: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for received in receiver.received() {
            let id = received.json()["id"].as_str().unwrap().to_owned();
            came.entry(received.path).or_default().insert(id);
        }
        let complete = came.values().filter(|came| came.is_superset(ids)).count();
        if complete == SUBSCRIPTIONS {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{complete} have everything");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the instances say that they deliver so many shares each.
async fn shared_out(system: &System, wanted: [usize; 2]) {
    let begun = Instant::now();
    loop {
        let held = [held(system, 0).await, held(system, 1).await];
        if held == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "they hold {held:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn held(system: &System, number: usize) -> usize {
    let port = system.folder().port(RELAY, number);
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let Ok(answer) = answer else { return 0 };
    let text = answer.text().await.unwrap_or_default();
    let held = "pasar_duty_held{service=\"relay\",lease=\"deliveries.";
    text.lines()
        .filter(|line| line.starts_with(held) && line.ends_with("} 1"))
        .count()
}
