//! One message to eight destinations at once, each the real server, beside a ninth that stalls.
//!
//! What is measured are the relay's own records: when it began the first attempt to each, and when each was
//! delivered. The suite runs a few messages of it, `cargo xtask fan-out` thousands with the release build.

mod figures;

use std::{env, fs, path::PathBuf, time::Duration};

use pasar_testkit::{
    ends::{Access, End, kafka, mqtt, nats, new_name, rabbitmq, redis},
    receiver::{Receiver, Reply},
    servers::Server,
};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use self::figures::{Figures, Recorded};
use crate::{
    api::Api,
    relay_alone::{RelayAlone, numbered, post_one, subscribe, wait_until_delivered},
    relay_reader::Reader,
};

/// Between two messages: 100 a second.
const PAUSE: Duration = Duration::from_millis(10);
const SHORT_MESSAGES: usize = 100;
const WARM_UP: usize = 50;
const STALL: Duration = Duration::from_secs(30);
const KEYS: usize = 16;

struct Lab {
    relay: RelayAlone,
    api: Api,
    readers: Vec<Reader>,
    subscriptions: Vec<String>,
    posted: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_destinations_get_each_message_at_once_whatever_a_ninth_does() {
    let Some(mut lab) = Lab::start().await else {
        return;
    };
    // Numbers are judged where the program is the one that users run.
    let messages = number("FAN_OUT_MESSAGES");
    let (many, rounds) = (
        messages.unwrap_or(SHORT_MESSAGES),
        number("FAN_OUT_ROUNDS").unwrap_or(1),
    );
    lab.post(WARM_UP).await;
    let stalling = Receiver::start(|_| Reply::ok().after(STALL)).await;
    let (mut alone, mut beside) = (Figures::default(), Figures::default());
    let load_before = load();
    // In turn, so that what else the machine does meets both.
    for _ in 0..rounds {
        alone.add(&lab.measure(many).await);
        let ninth = json!({ "kind": "rest", "url": stalling.url("/"), "timeout_ms": 31_000 });
        let ninth = subscribe(&lab.api, "the ninth", &ninth, json!({})).await;
        let recorded = lab.measure(many).await;
        assert!(!stalling.received().is_empty(), "nothing stalled");
        beside.add(&recorded);
        let deleted = lab.api.request(
            reqwest::Method::DELETE,
            &format!("/v1/subscriptions/{ninth}"),
        );
        assert!(deleted.send().await.unwrap().status().is_success());
    }
    println!("proof: load average {load_before} before, {} after", load());
    println!("proof: {}", alone.of_all("eight"));
    println!(
        "proof: {}",
        beside.of_all("eight beside one that stalls for 30 s")
    );
    for line in alone.compared(&beside) {
        println!("proof: {line}");
    }
    if messages.is_some() {
        alone.judge(&beside);
    }
    lab.relay.stop();
}

impl Lab {
    /// `None` where one of the servers is not there.
    async fn start() -> Option<Self> {
        let program = env::var_os("FAN_OUT_PROGRAM")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pasar")), PathBuf::from);
        let names = ["redis", "nats", "rabbitmq", "kafka", "mosquitto"];
        let mut servers = Vec::new();
        for name in names {
            servers.push(Server::shared(name).await?);
        }
        let [redis, nats, rabbitmq, kafka, mosquitto] = &servers[..] else {
            return None;
        };
        let relay = RelayAlone::start_program(program);
        let api = relay.api();
        let mut lab = Self {
            relay,
            api,
            readers: Vec::new(),
            subscriptions: Vec::new(),
            posted: 0,
        };
        lab.add::<redis::Channel>("Redis channel", redis).await;
        lab.add::<redis::Stream>("Redis stream", redis).await;
        lab.add::<nats::Core>("NATS", nats).await;
        lab.add::<nats::JetStream>("JetStream", nats).await;
        lab.add::<rabbitmq::Queue>("RabbitMQ", rabbitmq).await;
        lab.add::<kafka::Topic>("Kafka", kafka).await;
        lab.add::<mqtt::Topic>("MQTT", mosquitto).await;
        let (webhook, url) = Reader::webhook().await;
        lab.readers.push(webhook);
        lab.subscribe("webhook", &json!({ "kind": "rest", "url": url }))
            .await;
        Some(lab)
    }

    async fn add<E: End>(&mut self, kind: &str, server: &Server) {
        let name = new_name("");
        self.readers
            .push(Reader::of(E::listen(server, &name).await));
        self.subscribe(kind, &E::settings(&Access::plain(server), &name))
            .await;
    }

    async fn subscribe(&mut self, name: &str, settings: &Value) {
        let id = subscribe(&self.api, name, settings, json!({})).await;
        self.subscriptions.push(id);
    }

    /// What was recorded of so many messages, once all have them.
    async fn measure(&mut self, many: usize) -> Vec<Recorded> {
        let after = figures::head(&self.relay);
        self.post(many).await;
        let recorded = figures::recorded(&self.relay, after);
        assert_eq!(recorded.len(), many * self.readers.len());
        recorded
    }

    async fn post(&mut self, many: usize) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..many {
            ticks.tick().await;
            post_one(&self.api, &numbered(self.posted, KEYS)).await;
            self.posted += 1;
        }
        for reader in &self.readers {
            reader.wait_for(self.posted).await;
        }
        for id in &self.subscriptions {
            wait_until_delivered(&self.api, id).await;
        }
    }
}

/// Programs that ran or waited to, on average over a minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn number(variable: &str) -> Option<usize> {
    Some(env::var(variable).ok()?.parse().unwrap())
}
