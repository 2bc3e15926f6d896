//! One destination's server is killed while messages are posted, and started again: everything arrives there, in
//! order where order was asked for, no outage of a broker counts as an attempt, and no other destination waits.
//!
//! The whole program, in real time. The suite keeps each server down for 3 s, `cargo xtask outages` for 60 s.

mod broker;
mod webhook;

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use self::{broker::Broker, webhook::Webhook};
use crate::{
    api::Api,
    relay_alone::{RelayAlone, numbered, post_one, subscribe, wait_until_delivered},
    relay_reader::{Came, Reader, assert_in_order, first_times, percentile},
};

const SHORT_S: u64 = 3;
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(50);
const KEYS: usize = 4;
/// Each with a destination of its own on the server, and whose order is kept in it.
const ORDERINGS: [(&str, usize); 2] = [("strict", 1), ("key", KEYS)];
/// A broker is asked every 15 s at most whether it is back, and what waited goes to it one by one where that was
/// asked for.
const CATCH_UP: Duration = Duration::from_secs(240);
/// A destination that waits for another waits for seconds.
const SLOWED_MS: f64 = 2_000.0;

/// A server that takes messages, and can go away.
trait Far: Sized {
    /// Whether a send that reached nobody is an attempt.
    const COSTS_ATTEMPTS: bool;

    /// `None` where there is no such server.
    async fn start() -> Option<Self>;
    /// A destination there for each ordering.
    fn settings(&self, ordering: usize) -> Value;
    async fn kill(&mut self);
    async fn start_again(&mut self);
    /// What came at each so far.
    fn came(&self, ordering: usize) -> Vec<Came>;
}

macro_rules! outages {
    ($kind:ident, $far:ty) => {
        mod $kind {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn what_is_posted_while_it_is_down_arrives_and_slows_nobody() {
                what_is_posted_while_it_is_down_arrives_and_slows_nobody_of::<$far>(stringify!(
                    $kind
                ))
                .await;
            }
        }
    };
}

outages!(rest, Webhook);
outages!(redis_channel, Broker<pasar_testkit::ends::redis::Channel>);
outages!(redis_stream, Broker<pasar_testkit::ends::redis::Stream>);
outages!(nats_core, Broker<pasar_testkit::ends::nats::Core>);
outages!(nats_jetstream, Broker<pasar_testkit::ends::nats::JetStream>);
outages!(rabbitmq_queue, Broker<pasar_testkit::ends::rabbitmq::Queue>);
outages!(kafka_topic, Broker<pasar_testkit::ends::kafka::Topic>);
outages!(mqtt_topic, Broker<pasar_testkit::ends::mqtt::Topic>);

async fn what_is_posted_while_it_is_down_arrives_and_slows_nobody_of<F: Far>(kind: &str) {
    let Some(mut far) = F::start().await else {
        return;
    };
    let relay = RelayAlone::start();
    let api = relay.api();
    let mut subscriptions = Vec::new();
    for (index, (ordering, _)) in ORDERINGS.into_iter().enumerate() {
        // A webhook that is down for a minute needs more attempts than the default has.
        let retry = json!({ "attempts": 100, "first_s": 1, "most_s": 5 });
        let more = json!({ "ordering": ordering, "retry": retry });
        subscriptions.push(subscribe(&api, ordering, &far.settings(index), more).await);
    }
    let (other, url) = Reader::webhook().await;
    let destination = json!({ "kind": "rest", "url": url });
    subscriptions.push(subscribe(&api, "other", &destination, json!({})).await);

    let down_for = Duration::from_secs(seconds());
    let posting = Posting::start(api.clone());
    let begun = Instant::now();
    tokio::time::sleep(down_for.min(Duration::from_secs(10))).await;
    far.kill().await;
    let killed = Instant::now();
    tokio::time::sleep(down_for).await;
    let back = Instant::now();
    far.start_again().await;
    let posted = posting.stop().await;

    let answers = Instant::now();
    other.wait_for(posted.len()).await;
    let caught_up = async {
        for id in &subscriptions {
            wait_until_delivered(&api, id).await;
        }
    };
    let caught_up = tokio::time::timeout(CATCH_UP, caught_up).await;
    caught_up.expect("all is delivered soon after the server is back");
    let took = answers.elapsed();
    for (index, (ordering, keys)) in ORDERINGS.into_iter().enumerate() {
        let came = arrived(&far, index, posted.len()).await;
        assert_in_order(&came, keys);
        assert_eq!(first_times(&came).len(), posted.len(), "{ordering}");
    }
    let counted = counted_attempts(&relay);
    assert_eq!(
        counted > 0,
        F::COSTS_ATTEMPTS,
        "{counted} attempts were counted"
    );
    let while_down = posted
        .iter()
        .filter(|at| (killed..back).contains(*at))
        .count();
    assert!(while_down > 0, "nothing was posted while it was down");
    let before = delays(&posted, &other, begun..killed);
    let during = delays(&posted, &other, killed..back);
    assert!(
        percentile(&during, 100) < SLOWED_MS,
        "another destination waited: {during:?}"
    );
    println!(
        "proof: | {kind} | {} s | {while_down} of {} | {} | {counted} | {:.1} s | {:.1} → {:.1} ms |",
        (back - killed).as_secs(),
        posted.len(),
        ORDERINGS.map(|(name, _)| name).join(", "),
        took.as_secs_f64(),
        percentile(&before, 99),
        percentile(&during, 99),
    );
    relay.stop();
}

fn seconds() -> u64 {
    env::var("OUTAGE_SECONDS").map_or(SHORT_S, |text| text.parse().unwrap())
}

/// Posts one message after the other, all the time.
struct Posting {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<Instant>>,
}

impl Posting {
    fn start(api: Api) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut posted = Vec::new();
            let mut ticks = interval(PAUSE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                let at = Instant::now();
                post_one(&api, &numbered(posted.len(), KEYS)).await;
                posted.push(at);
            }
            posted
        });
        Self { stop, task }
    }

    /// When each message was posted, by its number.
    async fn stop(self) -> Vec<Instant> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// What came at a destination once everything did: its reader is a little behind the relay.
async fn arrived(far: &impl Far, ordering: usize, wanted: usize) -> Vec<Came> {
    pasar_testkit::probe::soon("everything at the reader", async {
        loop {
            let came = far.came(ordering);
            if first_times(&came).len() >= wanted {
                return came;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
}

/// Attempts that did not deliver, or were not the first of their message.
fn counted_attempts(relay: &RelayAlone) -> i64 {
    let counts = "SELECT COUNT(*), COALESCE(SUM(attempt > 1 OR delivered = 0), 0) FROM attempt";
    let (all, counted) = relay
        .database()
        .query_row(counts, [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
        .unwrap();
    assert!(all > 0, "no attempt was recorded");
    counted
}

/// From the posting of messages in this stretch of time to their arrival, in milliseconds, sorted.
fn delays(posted: &[Instant], other: &Reader, within: std::ops::Range<Instant>) -> Vec<f64> {
    let mut delays: Vec<f64> = first_times(&other.came())
        .into_iter()
        .filter(|came| within.contains(&posted[came.number]))
        .map(|came| (came.at - posted[came.number]).as_secs_f64() * 1_000.0)
        .collect();
    delays.sort_by(f64::total_cmp);
    delays
}
