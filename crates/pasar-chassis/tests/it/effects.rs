//! Effects run in the order of their queue, as many at once as allowed, until their rows are gone.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pasar_chassis::{
    duty::Duty,
    effects::{self, Done, EffectWorker, Running},
};
use pasar_store::{
    effect::Effect,
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
    store::Store,
};
use tokio::sync::Semaphore;

use crate::host::{Machine, record, recorded, soon, write};

/// Records each effect; what it does first depends on the kind.
pub(crate) struct Worker {
    store: Store,
    pub(crate) running: AtomicUsize,
    most: AtomicUsize,
    /// A permit lets one effect of kind `held` go on.
    pub(crate) gate: Semaphore,
    calls: AtomicUsize,
}

impl Worker {
    pub(crate) fn new(store: &Store) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            calls: AtomicUsize::new(0),
        })
    }

    async fn work(&self, effect: Effect, lease: Lease) -> Result<Done, Fault> {
        match effect.kind.as_str() {
            "held" => self.gate.acquire().await.unwrap().forget(),
            "retried" if effect.attempts < 2 => return self.retry(&effect).await,
            "panics" if self.calls.fetch_add(1, Ordering::SeqCst) == 0 => panic!("on purpose"),
            "faults" if self.calls.fetch_add(1, Ordering::SeqCst) == 0 => {
                return Err(Fault::Unknown);
            }
            _ => {}
        }
        let (id, what) = (effect.id, format!("{} {}", effect.queue, effect.payload));
        self.store
            .write(LaneKey::ZERO, Class::Internal, effect.cause(), move |ctx| {
                ctx.holding(&lease)?;
                if ctx.finish_effect(id)? {
                    record(ctx, &what)?;
                }
                Ok(Done::Finished)
            })
            .await
    }

    async fn retry(&self, effect: &Effect) -> Result<Done, Fault> {
        let id = effect.id;
        self.store
            .write(LaneKey::ZERO, Class::Internal, effect.cause(), move |ctx| {
                let due = ctx.now() + Duration::from_secs(60);
                ctx.retry_effect(id, due, "not yet")?;
                Ok(Done::Retry)
            })
            .await
    }
}

impl EffectWorker for Worker {
    fn run(&self, effect: Effect, lease: Lease) -> Running<'_> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Box::pin(async move {
            let done = self.work(effect, lease).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            done
        })
    }
}

fn spawn(machine: &Machine, store: &Store, worker: Arc<Worker>, max_in_flight: usize) {
    let duty = Duty::start(&machine.host, store);
    effects::spawn(&machine.host, &duty, store.clone(), worker, max_in_flight);
}

pub(crate) async fn enqueue(store: &Store, kind: &'static str, effects: Vec<(String, u32)>) {
    write(store, move |ctx| {
        effects
            .iter()
            .try_for_each(|(queue, n)| ctx.enqueue_effect(queue, kind, n))
    })
    .await;
}

fn pairs(queues: u32, each: u32) -> Vec<(String, u32)> {
    (0..each)
        .flat_map(|n| (0..queues).map(move |queue| (format!("q{queue}"), n)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_queue_keeps_its_order_and_all_effects_run_once() {
    let machine = Machine::new();
    let store = machine.store();
    let worker = Worker::new(&store);
    enqueue(&store, "plain", pairs(50, 20)).await;
    spawn(&machine, &store, worker.clone(), 16);
    enqueue(&store, "plain", pairs(50, 20)).await;
    let all = recorded(&store, 2_000).await;
    let mut by_queue: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for done in &all {
        let (queue, n) = done.split_once(' ').unwrap();
        by_queue.entry(queue).or_default().push(n.parse().unwrap());
    }
    let expected: Vec<u32> = (0..20).chain(0..20).collect();
    assert_eq!(by_queue.len(), 50);
    assert!(by_queue.values().all(|order| *order == expected));
    assert!(worker.most.load(Ordering::SeqCst) <= 16);
    assert_eq!(store.effects_after(0, 1).unwrap(), []);
}

#[tokio::test]
async fn one_of_a_queue_is_in_flight_and_others_do_not_wait_for_it() {
    let machine = Machine::new();
    let store = machine.store();
    let worker = Worker::new(&store);
    spawn(&machine, &store, worker.clone(), 4);
    enqueue(&store, "held", vec![("a".into(), 1)]).await;
    enqueue(&store, "plain", vec![("a".into(), 2), ("b".into(), 1)]).await;
    assert_eq!(recorded(&store, 1).await, ["b 1"]);
    worker.gate.add_permits(1);
    assert_eq!(recorded(&store, 3).await, ["b 1", "a 1", "a 2"]);
}

#[tokio::test]
async fn a_retry_waits_until_it_is_due_and_holds_its_queue() {
    let machine = Machine::new();
    let store = machine.store();
    let worker = Worker::new(&store);
    spawn(&machine, &store, worker, 4);
    enqueue(&store, "retried", vec![("a".into(), 1)]).await;
    enqueue(&store, "plain", vec![("a".into(), 2), ("b".into(), 1)]).await;
    let mut others = 1;
    for attempts in 1..=2 {
        soon(async {
            while store.effect(1).unwrap().unwrap().attempts < attempts {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // While others come and go, it is not tried again.
        for _ in 0..10 {
            enqueue(&store, "plain", vec![("c".into(), 1)]).await;
            others += 1;
            recorded(&store, others).await;
        }
        assert_eq!(store.effect(1).unwrap().unwrap().attempts, attempts);
        machine.advance(Duration::from_secs(61));
    }
    let all = recorded(&store, others + 2).await;
    assert_eq!(all[others..], ["a 1", "a 2"]);
}

#[tokio::test]
async fn a_panic_or_a_fault_is_run_again_later() {
    for kind in ["panics", "faults"] {
        let machine = Machine::new();
        let store = machine.store();
        let worker = Worker::new(&store);
        spawn(&machine, &store, worker.clone(), 4);
        enqueue(&store, kind, vec![("a".into(), 1), ("a".into(), 2)]).await;
        soon(async {
            while worker.calls.load(Ordering::SeqCst) < 2 {
                machine.advance(Duration::from_millis(100));
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(recorded(&store, 2).await, ["a 1", "a 2"], "{kind}");
    }
}

#[tokio::test]
async fn effects_of_before_a_restart_are_run_after_it() {
    let mut machine = Machine::new();
    let store = machine.store();
    let first = Worker::new(&store);
    spawn(&machine, &store, first.clone(), 1);
    enqueue(&store, "held", vec![("a".into(), 1), ("b".into(), 1)]).await;
    soon(async {
        while first.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The drain waits for the one in flight and begins no other.
    first.gate.add_permits(1);
    machine.restart().await;
    assert_eq!(recorded(&store, 1).await, ["a 1"]);
    let second = Worker::new(&store);
    second.gate.add_permits(1);
    spawn(&machine, &store, second, 1);
    assert_eq!(recorded(&store, 2).await, ["a 1", "b 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_effects_than_are_held_in_memory_all_run() {
    let machine = Machine::new();
    let store = machine.store();
    let worker = Worker::new(&store);
    let many = (0..17_000).map(|n| (format!("q{n}"), n)).collect();
    enqueue(&store, "plain", many).await;
    spawn(&machine, &store, worker, 256);
    enqueue(&store, "plain", vec![("q0".into(), 1)]).await;
    let mut all = recorded(&store, 17_001).await;
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 17_001);
}
