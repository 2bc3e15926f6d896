//! Which effect runs next: the queues, in memory, and what waits in them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use pasar_feed::tasks::Tasks;
use pasar_store::{clock::Clock, effect::Effect, fault::Fault, lease::Lease, store::Store};
use pasar_types::time::Timestamp;
use tokio::{
    sync::watch,
    task::{Id as TaskId, JoinError, JoinSet},
};

use super::{Done, EffectWorker};
use crate::{host::Host, problem::Chain, sleeper::Sleeper};

/// Rows that are read at once.
const PAGE: usize = 256;
/// Effects that are held in memory at most; the rest stay in the table until there is room.
const MOST_HELD: usize = 16_384;
/// How long after a fault an effect is run again: doubled each time, up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

pub(super) struct Runner {
    store: Store,
    worker: Arc<dyn EffectWorker>,
    lease: Lease,
    clock: Arc<dyn Clock>,
    sleeper: Arc<dyn Sleeper>,
    tasks: Tasks,
    changed: watch::Receiver<u64>,
    max_in_flight: usize,
    /// The table was read up to this id. Ids grow and are never used twice.
    read_to: i64,
    /// There may be rows after `read_to`.
    unread: bool,
    /// The table could not be read; not again before this time.
    read_again_at: Option<Timestamp>,
    queues: HashMap<Arc<str>, Queue>,
    /// Effects in `queues`, those in flight not counted.
    held: usize,
    /// Queues whose first effect may run now.
    ready: VecDeque<Arc<str>>,
    /// Queues whose first effect is due later.
    delayed: BinaryHeap<Reverse<(Timestamp, Arc<str>)>>,
    /// Effects whose rows could not be read after a try: when to read them again.
    unclear: Vec<(Timestamp, Arc<str>, i64)>,
    running: JoinSet<Result<Done, Fault>>,
    in_flight: HashMap<TaskId, (Arc<str>, i64)>,
}

/// Each queue is at one place: in `ready`, in `delayed`, in `unclear`, or in flight.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Effect>,
    /// How often in a row its first effect ended in a fault.
    faults: u32,
}

impl Runner {
    pub(super) fn new(
        host: &Host,
        store: Store,
        worker: Arc<dyn EffectWorker>,
        lease: Lease,
        max_in_flight: usize,
    ) -> Self {
        Self {
            changed: store.effects_changed(),
            store,
            worker,
            lease,
            clock: Arc::clone(&host.clock),
            sleeper: Arc::clone(&host.sleeper),
            tasks: host.tasks.clone(),
            max_in_flight,
            read_to: 0,
            unread: true,
            read_again_at: None,
            queues: HashMap::new(),
            held: 0,
            ready: VecDeque::new(),
            delayed: BinaryHeap::new(),
            unclear: Vec::new(),
            running: JoinSet::new(),
            in_flight: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let tasks = self.tasks.clone();
        let draining = tasks.draining();
        tokio::pin!(draining);
        loop {
            self.wake_delayed();
            self.read();
            self.start();
            let next_due = self.next_due();
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                // The sender lives as long as the store, which this holds.
                _ = self.changed.changed() => self.unread = true,
                () = wait_until(&*self.sleeper, next_due) => {}
                () = &mut draining => break,
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Reads rows while there is room for them.
    fn read(&mut self) {
        if self.read_again_at.is_some_and(|at| self.clock.now() < at) {
            return;
        }
        self.read_again_at = None;
        while self.unread && self.held + PAGE <= MOST_HELD {
            match self.store.effects_after(self.read_to, PAGE) {
                Ok(page) => {
                    self.unread = page.len() == PAGE;
                    page.into_iter().for_each(|effect| self.hold(effect));
                }
                Err(fault) => {
                    self.log(&fault, "effects cannot be read");
                    self.read_again_at = Some(self.clock.now() + FIRST_RETRY);
                    return;
                }
            }
        }
    }

    fn hold(&mut self, effect: Effect) {
        self.read_to = effect.id;
        self.held += 1;
        if let Some(queue) = self.queues.get_mut(effect.queue.as_str()) {
            queue.waiting.push_back(effect);
            return;
        }
        let name: Arc<str> = effect.queue.as_str().into();
        let due = effect.due;
        let queue = Queue {
            waiting: VecDeque::from([effect]),
            faults: 0,
        };
        self.queues.insert(Arc::clone(&name), queue);
        self.schedule(name, due);
    }

    fn schedule(&mut self, name: Arc<str>, due: Timestamp) {
        if due <= self.clock.now() {
            self.ready.push_back(name);
        } else {
            self.delayed.push(Reverse((due, name)));
        }
    }

    fn wake_delayed(&mut self) {
        let now = self.clock.now();
        while let Some(Reverse((due, _))) = self.delayed.peek()
            && *due <= now
        {
            if let Some(Reverse((_, name))) = self.delayed.pop() {
                self.ready.push_back(name);
            }
        }
        let due = self.unclear.extract_if(.., |(at, ..)| *at <= now);
        for (_, name, id) in due.collect::<Vec<_>>() {
            self.again(name, id, Duration::ZERO);
        }
    }

    fn start(&mut self) {
        while self.in_flight.len() < self.max_in_flight {
            let Some(name) = self.ready.pop_front() else {
                return;
            };
            let Some(effect) = self
                .queues
                .get_mut(&name)
                .and_then(|queue| queue.waiting.pop_front())
            else {
                continue;
            };
            self.held -= 1;
            let id = effect.id;
            let (worker, lease) = (Arc::clone(&self.worker), self.lease.clone());
            let task = self
                .running
                .spawn(async move { worker.run(effect, lease).await });
            self.in_flight.insert(task.id(), (name, id));
        }
    }

    fn ended(&mut self, ended: Result<(TaskId, Result<Done, Fault>), JoinError>) {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(error) => {
                let defect = format!("an effect ended by a panic: {error}");
                (error.id(), Err(Fault::Bug(defect)))
            }
        };
        let Some((name, id)) = self.in_flight.remove(&task) else {
            return;
        };
        match result {
            Ok(Done::Finished) => self.next_of(name),
            Ok(Done::Retry) => self.again(name, id, Duration::ZERO),
            // Whoever is on duty now runs it; this runner is about to be dropped.
            Err(Fault::LeaseLost(_)) => {}
            Err(fault) => {
                self.log(&fault, "the result of an effect was not recorded");
                let wait = self.queues.get_mut(&name).map_or(FIRST_RETRY, |queue| {
                    queue.faults += 1;
                    FIRST_RETRY.saturating_mul(1 << (queue.faults - 1).min(16))
                });
                self.again(name, id, wait.min(LONGEST_RETRY));
            }
        }
    }

    /// The first of a queue is done: the next one may run.
    fn next_of(&mut self, name: Arc<str>) {
        let Some(queue) = self.queues.get_mut(&name) else {
            return;
        };
        queue.faults = 0;
        match queue.waiting.front().map(|effect| effect.due) {
            Some(due) => self.schedule(name, due),
            None => {
                self.queues.remove(&name);
            }
        }
    }

    /// The row tells when it is due again, or that somebody else finished it.
    fn again(&mut self, name: Arc<str>, id: i64, at_least: Duration) {
        let not_before = self.clock.now() + at_least;
        match self.store.effect(id) {
            Ok(None) => self.next_of(name),
            Ok(Some(mut effect)) => {
                effect.due = effect.due.max(not_before);
                let due = effect.due;
                self.put_back(&name, effect);
                self.schedule(name, due);
            }
            Err(fault) => {
                self.log(&fault, "an effect cannot be read again");
                let at = not_before.max(self.clock.now() + FIRST_RETRY);
                self.unclear.push((at, name, id));
            }
        }
    }

    fn put_back(&mut self, name: &Arc<str>, effect: Effect) {
        self.held += 1;
        let queue = self.queues.entry(Arc::clone(name)).or_default();
        queue.waiting.push_front(effect);
    }

    fn next_due(&self) -> Option<Timestamp> {
        let delayed = self.delayed.peek().map(|Reverse((due, _))| *due);
        let unclear = self.unclear.iter().map(|(at, ..)| *at).min();
        [delayed, unclear, self.read_again_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn log(&self, fault: &Fault, what: &str) {
        metrics::counter!("pasar_effect_faults_total", "service" => self.store.service().as_str())
            .increment(1);
        tracing::error!(service = %self.store.service(), fault = %Chain(fault), "{what}");
    }
}

async fn wait_until(sleeper: &dyn Sleeper, due: Option<Timestamp>) {
    match due {
        Some(due) => sleeper.sleep_until(due).await,
        None => std::future::pending().await,
    }
}
