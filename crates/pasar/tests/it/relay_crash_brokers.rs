//! Kills the relay in the middle of a batch to each kind of broker, again and again: every message arrives, in
//! the order of its key, and what comes twice has the same id and is no more than was in flight.
//!
//! The reader is in this process, which is not killed, and so is what it counts. The suite runs a short form,
//! `cargo xtask crash relay --destination all` the long one.

use std::{env, os::unix::process::ExitStatusExt as _, time::Duration};

use pasar_store::{
    crash::CrashPoint,
    ids::{Ids as _, SeededIds},
};
use pasar_testkit::{
    ends::{Access, End, new_name},
    servers::Server,
};
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    relay_alone::{RelayAlone, numbered, post_lines, subscribe, wait_until_delivered},
    relay_reader::{Reader, assert_in_order},
};

const SHORT_CYCLES: usize = 3;
/// Messages that wait when the relay begins to deliver.
const BATCH: usize = 600;
/// Deliveries in flight at once.
const WINDOW: usize = 8;
const KEYS: usize = 16;
/// A planned crash comes within this time.
const LONGEST_CYCLE: Duration = Duration::from_secs(20);
const SIGABRT: i32 = 6;

macro_rules! kills {
    ($kind:ident, $end:ty) => {
        mod $kind {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn what_was_in_flight_comes_again_under_its_id() {
                super::what_was_in_flight_comes_again_under_its_id::<$end>(stringify!($kind)).await;
            }
        }
    };
}

kills!(redis_channel, pasar_testkit::ends::redis::Channel);
kills!(redis_stream, pasar_testkit::ends::redis::Stream);
kills!(nats_core, pasar_testkit::ends::nats::Core);
kills!(nats_jetstream, pasar_testkit::ends::nats::JetStream);
kills!(rabbitmq_queue, pasar_testkit::ends::rabbitmq::Queue);
kills!(kafka_topic, pasar_testkit::ends::kafka::Topic);
kills!(mqtt_topic, pasar_testkit::ends::mqtt::Topic);

/// How a run of the relay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// Killed from outside once so many of the batch have arrived.
    Arrived(usize),
    /// Before the attempt of this number is sent.
    Sending(usize),
    /// After the attempt of this number was confirmed by the broker, before that is recorded.
    Confirmed(usize),
}

struct Lab {
    relay: RelayAlone,
    reader: Reader,
    subscription: String,
    posted: usize,
    /// Whether the broker itself drops what comes twice.
    drops_repeats: bool,
}

async fn what_was_in_flight_comes_again_under_its_id<E: End>(kind: &str) {
    let Some(server) = Server::shared(E::SERVER).await else {
        return;
    };
    let cycles = number("PASAR_CRASH_CYCLES").unwrap_or(SHORT_CYCLES);
    let random = SeededIds::new(number("PASAR_CRASH_SEED").unwrap_or(1) as u64);
    let mut lab = Lab::of::<E>(&server).await;
    let (mut done, mut again, mut tries) = (0, 0, 0);
    while done < cycles {
        tries += 1;
        assert!(tries < 2 * cycles + 10, "most kills came too late");
        let death = next_death(tries, &random);
        let Some(repeats) = lab.cycle(death).await else {
            continue;
        };
        println!("{kind}: {death:?}: {repeats} came again");
        done += 1;
        again += repeats;
        assert!(
            repeats <= WINDOW,
            "{repeats} came again, {WINDOW} were in flight"
        );
        if lab.drops_repeats {
            assert_eq!(repeats, 0, "the broker drops repeats");
        } else if matches!(death, Death::Confirmed(_)) {
            assert!(
                repeats > 0,
                "what was confirmed and not recorded was forgotten"
            );
        }
    }
    assert_in_order(&lab.reader.came(), KEYS);
    println!(
        "proof: | {kind} | {done} | {} | {} | {again} | {WINDOW} each |",
        lab.posted,
        lab.reader.arrived(),
    );
    lab.relay.stop();
}

/// All three kinds of death in turn, or only the first where the program has no named points.
fn next_death(turn: usize, random: &SeededIds) -> Death {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    let nth = 1 + usize::from_le_bytes(bytes) % (BATCH / 2);
    match turn % 3 {
        1 if cfg!(feature = "crash-points") => Death::Confirmed(nth),
        2 if cfg!(feature = "crash-points") => Death::Sending(nth),
        _ => Death::Arrived(nth),
    }
}

impl Death {
    /// What the program is told.
    fn point(self) -> Option<String> {
        match self {
            Self::Arrived(_) => None,
            Self::Sending(nth) => Some(format!("{}:{nth}", CrashPoint::EffectStarted.name())),
            Self::Confirmed(nth) => Some(format!("{}:{nth}", CrashPoint::ProviderAnswered.name())),
        }
    }
}

impl Lab {
    async fn of<E: End>(server: &Server) -> Self {
        let name = new_name("");
        let reader = Reader::of(E::listen(server, &name).await);
        let relay = RelayAlone::start();
        let settings = E::settings(&Access::plain(server), &name);
        let more = json!({ "ordering": "key", "concurrency": WINDOW });
        let subscription = subscribe(&relay.api(), &name, &settings, more).await;
        Self {
            relay,
            reader,
            subscription,
            posted: 0,
            drops_repeats: settings["jetstream"] == true,
        }
    }

    /// A batch, a kill while it is delivered, and a start that delivers the rest. How many came again; `None` if
    /// all had arrived before the kill.
    async fn cycle(&mut self, death: Death) -> Option<usize> {
        self.act("pause").await;
        let batch: Vec<_> = (self.posted..self.posted + BATCH)
            .map(|number| numbered(number, KEYS))
            .collect();
        post_lines(&self.relay.api(), &batch).await;
        let (before, again) = (self.posted, self.reader.again());
        self.posted += BATCH;
        if let Some(point) = death.point() {
            self.relay.kill();
            self.relay.start_again(Some(&point)).unwrap();
        }
        self.act("resume").await;
        match death {
            Death::Arrived(nth) => {
                self.reader.wait_for(before + nth).await;
                self.relay.kill();
            }
            Death::Sending(_) | Death::Confirmed(_) => self.wait_for_abort(death).await,
        }
        let arrived = self.reader.arrived();
        self.relay.start_again(None).unwrap();
        self.reader.wait_for(self.posted).await;
        wait_until_delivered(&self.relay.api(), &self.subscription).await;
        let again = self.reader.again() - again;
        (arrived < self.posted).then_some(again)
    }

    /// The relay may end before it answers.
    async fn act(&self, action: &str) {
        let path = format!("/v1/subscriptions/{}/{action}", self.subscription);
        match self.relay.api().request(Method::POST, &path).send().await {
            Ok(response) => assert_eq!(response.status(), 200),
            Err(error) => println!("{action} was not answered: {error}"),
        }
    }

    async fn wait_for_abort(&mut self, death: Death) {
        let until = Instant::now() + LONGEST_CYCLE;
        loop {
            if let Some(status) = self.relay.ended() {
                assert_eq!(
                    status.signal(),
                    Some(SIGABRT),
                    "it ended by itself: {status}"
                );
                return;
            }
            assert!(Instant::now() < until, "{death:?} was not met");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn number(variable: &str) -> Option<usize> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}
