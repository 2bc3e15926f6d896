//! Two instances on one database: one works at a time, and what the other left half-done is not done twice.

use std::{
    future::ready,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use pasar_chassis::{duty::Duty, effects, timers};
use pasar_contracts::event::{Event, Service};
use pasar_feed::{
    follow::{Follow, LocalFeed},
    follower::{Follower, Reactions, Route},
};
use pasar_store::{context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey, store::Store};
use pasar_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    effects::{Worker, enqueue},
    host::{Machine, record, recorded, soon, write},
};

/// How often the keepers look, and how long they trust and wait: see `pasar_chassis::duty`.
const LOOK: Duration = Duration::from_millis(250);
const BEAT: Duration = Duration::from_secs(1);
const TRUST: Duration = Duration::from_millis(2_500);
const SILENCE: Duration = Duration::from_secs(3);

struct Instance {
    machine: Machine,
    store: Store,
    duty: Duty,
}

/// Two instances; the first is on duty.
async fn two() -> [Instance; 2] {
    let [first, second] = Machine::several();
    let first = instance(first);
    soon(async {
        while !first.duty.is_on() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    [first, instance(second)]
}

fn instance(machine: Machine) -> Instance {
    let store = machine.store();
    let duty = Duty::start(&machine.host, &store);
    Instance {
        machine,
        store,
        duty,
    }
}

impl Instance {
    fn worker(&self) -> Arc<Worker> {
        let worker = Worker::new(&self.store);
        let host = &self.machine.host;
        effects::spawn(host, &self.duty, self.store.clone(), worker.clone(), 4);
        worker
    }

    fn timers(&self, who: &'static str) {
        let fire = move |ctx: &mut Context<'_>, _: &str, key: &str, _: Timestamp| {
            record(ctx, &format!("{key} by {who}"))
        };
        let (host, store) = (&self.machine.host, self.store.clone());
        timers::spawn(
            host,
            &self.duty,
            store,
            || ready(()),
            |_, _| LaneKey::ZERO,
            fire,
        );
    }

    fn now(&self) -> Timestamp {
        self.machine.host.clock.now()
    }

    /// Moves this instance's clock until it is on duty.
    async fn until_on(&self) {
        soon(async {
            while !self.duty.is_on() {
                self.machine.advance(LOOK);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }

    /// Moves it a look at a time, and gives each look time to have an effect. Answers whether it is on duty.
    async fn look(&self, times: u32) -> bool {
        for _ in 0..times {
            self.machine.advance(LOOK);
            let on = async {
                while !self.duty.is_on() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            if tokio::time::timeout(Duration::from_millis(200), on)
                .await
                .is_ok()
            {
                return true;
            }
        }
        false
    }
}

#[tokio::test]
async fn where_a_database_belongs_to_one_process_it_is_on_duty_at_once() {
    let machine = Machine::new();
    let store = machine.store();
    assert!(Duty::start(&machine.host, &store).is_on());
    assert_eq!(store.lease("background").await.unwrap(), None);
}

#[tokio::test]
async fn an_instance_that_falls_silent_is_relieved_after_three_seconds_and_not_before() {
    let [first, second] = two().await;
    let begun = second.now();
    second.until_on().await;
    assert!(second.now().since(begun) >= SILENCE);
    // It has not heard of it yet, as if it was stopped.
    assert!(first.duty.is_on());
    first.machine.advance(TRUST);
    soon(async {
        while first.duty.is_on() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_lives_is_not_relieved() {
    let [first, second] = two().await;
    let mut before = first.store.lease("background").await.unwrap();
    for _ in 0..10 {
        first.machine.advance(BEAT);
        soon(async {
            loop {
                let now = first.store.lease("background").await.unwrap();
                if now != before {
                    before = now;
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        second.machine.advance(BEAT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(first.duty.is_on() && !second.duty.is_on());
}

#[tokio::test]
async fn an_instance_that_cannot_write_ends_its_work_before_another_may_begin() {
    let [first, _second] = two().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    let blocked = tokio::spawn({
        let store = first.store.clone();
        let held = std::sync::Mutex::new(held);
        async move { write(&store, move |_| Ok(held.lock().unwrap().recv().is_ok())).await }
    });
    // As `TRUST` is less than `SILENCE`, nobody else may have it when this one lets go.
    first.machine.advance(TRUST);
    soon(async {
        while first.duty.is_on() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    release.send(()).unwrap();
    assert!(blocked.await.unwrap());
}

#[tokio::test]
async fn an_instance_that_ends_in_order_is_relieved_at_once() {
    let [mut first, second] = two().await;
    assert!(!second.look(2).await);
    first.machine.restart().await;
    let begun = second.now();
    assert!(second.look(4).await);
    assert!(second.now().since(begun) < SILENCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_of_an_instance_that_returns_too_late_is_not_recorded_by_it() {
    let [first, second] = two().await;
    let (stale, fresh) = (first.worker(), second.worker());
    enqueue(&first.store, "held", vec![("a".into(), 1)]).await;
    soon(async {
        while stale.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(fresh.running.load(Ordering::SeqCst), 0, "two at a time");
    second.until_on().await;
    // The one that was stopped goes on where it stood, before it finds out; the row is still there for it.
    soon(async {
        while fresh.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stale.gate.add_permits(1);
    soon(async {
        while stale.running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(first.store.effect(1).unwrap().is_some());
    fresh.gate.add_permits(1);
    assert_eq!(recorded(&second.store, 1).await, ["a 1"]);
    assert_eq!(first.store.effects_after(0, 1).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_is_in_flight_at_a_drain_ends_before_the_duty_is_handed_over() {
    let [mut first, second] = two().await;
    let worker = first.worker();
    enqueue(&second.store, "held", vec![("a".into(), 1)]).await;
    soon(async {
        while worker.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let gate = Arc::clone(&worker);
    let drained = tokio::spawn(async move {
        first.machine.restart().await;
        first
    });
    assert!(!second.look(8).await, "work was in flight");
    gate.gate.add_permits(1);
    drained.await.unwrap();
    assert!(second.look(4).await);
    assert_eq!(recorded(&second.store, 1).await, ["a 1"]);
}

#[tokio::test]
async fn a_timer_of_an_instance_that_returns_too_late_does_not_fire_there() {
    let [first, second] = two().await;
    first.timers("first");
    second.timers("second");
    let minute = Duration::from_secs(60);
    write(&second.store, move |ctx| {
        let due = ctx.now() + minute;
        ctx.set_timer("expire", "reservation", due)
    })
    .await;
    second.until_on().await;
    first.machine.advance(minute);
    soon(async {
        while first.duty.is_on() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    second.machine.advance(minute);
    assert_eq!(recorded(&second.store, 1).await, ["reservation by second"]);
}

#[tokio::test]
async fn what_another_instance_commits_wakes_the_one_on_duty() {
    let [first, second] = two().await;
    let _worker = first.worker();
    first.timers("first");
    enqueue(&second.store, "plain", vec![("a".into(), 1)]).await;
    assert_eq!(recorded(&first.store, 1).await, ["a 1"]);
    write(&second.store, |ctx| {
        let due = ctx.now();
        ctx.set_timer("expire", "now", due)
    })
    .await;
    assert_eq!(recorded(&first.store, 2).await, ["a 1", "now by first"]);
}

#[derive(Serialize, Deserialize)]
struct Happened {}

impl Event for Happened {
    const TYPE: &'static str = "thing.happened.v1";
    const PUBLISHER: Service = Service::Payments;
}

struct Noting(&'static str);

impl Reactions for Noting {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn route(&self, _: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::All)
    }

    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        record(context, &format!("{} by {}", event.keyversion, self.0))
    }
}

fn follow(instance: &Instance, publisher: &Store, who: &'static str) -> Follower {
    let feed = Arc::new(LocalFeed::new(publisher.clone())) as Arc<dyn Follow>;
    instance
        .duty
        .follow(Service::Payments, feed, Arc::new(Noting(who)))
}

async fn publish(store: &Store, version: i64) {
    write(store, move |ctx| ctx.emit("a", version, &Happened {})).await;
}

#[tokio::test]
async fn one_instance_follows_and_the_other_knows_how_far() {
    let elsewhere = Machine::new();
    let payments = elsewhere.host.open_store(Service::Payments, &[]).unwrap();
    let [first, second] = two().await;
    let (_, waiting) = (
        follow(&first, &payments, "first"),
        follow(&second, &payments, "second"),
    );
    for version in 1..=3 {
        publish(&payments, version).await;
    }
    soon(waiting.caught_up_to(payments.head())).await;
    let by_first = ["1 by first", "2 by first", "3 by first"];
    assert_eq!(recorded(&second.store, 3).await, by_first);
    second.until_on().await;
    for version in 4..=6 {
        publish(&payments, version).await;
    }
    // Both follow now, as the first has not heard that it is relieved: each event is taken once all the same.
    soon(waiting.caught_up_to(payments.head())).await;
    soon(waiting.head_at_boot_reached()).await;
    let all: Vec<_> = recorded(&second.store, 6)
        .await
        .iter()
        .map(|line| line.split_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(all, ["1", "2", "3", "4", "5", "6"]);
}
