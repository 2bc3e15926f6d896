//! Delivers one subscription's messages: takes them from its desk or the log, sends as many at once as it may,
//! and records what became of them. A message is resolved only once that is committed.

mod recording;
mod retrying;
mod sending;
mod taking;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use pasar_contracts::api::relay::Ordering;
use pasar_store::fault::Fault;
use pasar_types::time::Timestamp;

use super::{
    Shared,
    desk::Desk,
    job::{Ended, Job},
    keys::Keys,
    outage::Outage,
    rate::Rate,
};
use crate::{
    commands::record_deliveries::{Item, RecordDeliveries, Recorded},
    destination::{Destination, InvalidSettings},
    message::Message,
    subscription::Spec,
};

pub(crate) struct Courier {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    spec: Arc<Spec>,
    destination: Result<Arc<dyn Destination>, InvalidSettings>,
    outage: Option<Outage>,
    rate: Option<Rate>,
    /// When the rate allows the next one.
    rate_at: Option<Timestamp>,

    /// How far it has taken or read the log.
    cursor: i64,
    /// What it read and has not taken.
    page: VecDeque<Arc<Message>>,
    /// Positions after the cursor that stand in `retry` or among the dead letters: resolved before.
    skip: HashSet<i64>,
    /// Positions that it took and that are not resolved.
    unresolved: BTreeSet<i64>,
    /// Positions that were delivered while an earlier one was not resolved: a crash repeats them.
    ahead: BTreeSet<i64>,
    /// Positions that are in flight and were put into `retry` meanwhile.
    aside: HashSet<i64>,
    keys: Keys,
    /// By position, and whether it stands in `retry`.
    ready: BTreeMap<(i64, bool), Job>,

    /// Rows in `retry`.
    retry_rows: i64,
    /// When the first of them may be due.
    next_due: Option<Timestamp>,
    /// Positions in `retry` that are under way.
    retrying: HashSet<i64>,
    /// Whether a stretch of the log is to be delivered once more.
    replays: bool,
    replaying: Option<BoxFuture<'static, bool>>,
    /// Rows in `retry` or `replay` have to be looked at anew.
    stale: bool,

    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
    /// What of the log is in flight, by position.
    flying: BTreeMap<i64, Arc<Message>>,
    finished: Vec<Item>,
    recording: Option<Recording>,
    /// The position that was recorded last.
    recorded: i64,
    idle_since: Option<Timestamp>,
    /// The process drains, or the subscription was changed: it only ends what is under way.
    closing: bool,
}

struct Recording {
    command: Arc<RecordDeliveries>,
    /// `None` if the store is closed or another instance delivers.
    answer: BoxFuture<'static, Option<Recorded>>,
}

/// Why a courier went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It had nothing to do; another one comes when there is something.
    Idle,
    /// Its subscription was changed, paused, disabled or deleted, and all it had under way is recorded.
    Ended,
    /// The process ends.
    Drained,
}

/// How long it stays without work.
const IDLE: Duration = Duration::from_secs(60);
/// How long a drain waits for what is in flight. What is left is delivered again after the restart.
const DRAIN: Duration = Duration::from_secs(5);
/// How long it waits after a fault of the database.
const AFTER_FAULT: Duration = Duration::from_secs(1);

impl Courier {
    pub(crate) fn new(shared: Arc<Shared>, desk: Arc<Desk>) -> Self {
        let spec = Arc::clone(&desk.spec);
        let destination = spec.kind.open(&spec.destination, &shared.network);
        Self {
            destination,
            outage: None,
            rate: spec.rate_per_s.map(Rate::new),
            rate_at: None,
            cursor: 0,
            page: VecDeque::new(),
            skip: HashSet::new(),
            unresolved: BTreeSet::new(),
            ahead: BTreeSet::new(),
            aside: HashSet::new(),
            keys: Keys::default(),
            ready: BTreeMap::new(),
            retry_rows: 0,
            next_due: None,
            retrying: HashSet::new(),
            replays: false,
            replaying: None,
            stale: true,
            in_flight: FuturesUnordered::new(),
            flying: BTreeMap::new(),
            finished: Vec::new(),
            recording: None,
            recorded: 0,
            idle_since: None,
            closing: false,
            spec,
            shared,
            desk,
        }
    }

    /// Works until there is nothing to do for a while, or the desk is taken away, or the process ends.
    pub(crate) async fn run(mut self) -> Gone {
        loop {
            if self.shared.tasks.is_draining() {
                self.drain().await;
                return Gone::Drained;
            }
            match self.step() {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => {
                    if let Some(gone) = self.may_go() {
                        return gone;
                    }
                    self.wait().await;
                }
                Err(fault) => {
                    tracing::error!(subscription = %self.desk.id,
                        fault = %pasar_chassis::problem::Chain(&fault), "deliveries cannot be read");
                    tokio::time::sleep(AFTER_FAULT).await;
                }
            }
        }
    }

    /// Does what can be done without waiting; answers whether there is more.
    fn step(&mut self) -> Result<bool, Fault> {
        self.closing |= self.desk.is_ending();
        self.stale |= self.desk.take_stale();
        if self.stale && self.recording.is_none() {
            self.look_anew()?;
            self.stale = false;
        }
        let mut more = false;
        if !self.closing {
            self.start_due()?;
            more = self.refill()?;
            more |= self.send_ready();
            self.continue_replay();
        }
        self.record();
        Ok(more)
    }

    async fn wait(&mut self) {
        let wake_at = self.wake_at();
        let shared = Arc::clone(&self.shared);
        let desk = Arc::clone(&self.desk);
        tokio::select! {
            Some(ended) = self.in_flight.next() => self.end(ended),
            recorded = answer(&mut self.recording) => self.take_recorded(recorded),
            more = continued(&mut self.replaying) => {
                self.replaying = None;
                self.replays = more;
                self.stale = true;
            }
            () = desk.wake.notified() => {}
            () = sleep_until(&shared, wake_at) => {}
            () = shared.tasks.draining() => {}
        }
        // Whatever else has ended goes into the same record.
        while let Some(Some(ended)) = futures_util::FutureExt::now_or_never(self.in_flight.next()) {
            self.end(ended);
        }
    }

    /// When something is to be done although nothing happens.
    fn wake_at(&self) -> Option<Timestamp> {
        if self.closing {
            return None;
        }
        let idle = self.idle_since.map(|since| since + IDLE);
        let rate_at = self.rate_at.filter(|_| !self.ready.is_empty());
        if let Some(outage) = &self.outage {
            let probe = outage.next_probe().filter(|_| self.in_flight.is_empty());
            return rate_at.max(probe);
        }
        let due = self.next_due.filter(|_| self.room_for_retries() > 0);
        [idle, rate_at, due].into_iter().flatten().min()
    }

    /// Whether it is done here.
    fn may_go(&mut self) -> Option<Gone> {
        let busy = !self.in_flight.is_empty()
            || !self.finished.is_empty()
            || self.recording.is_some()
            || self.replaying.is_some();
        if self.closing {
            return (!busy && !self.desk.is_counted()).then_some(Gone::Ended);
        }
        let waits = busy
            || !self.ready.is_empty()
            || !self.unresolved.is_empty()
            || !self.page.is_empty()
            || self.retry_rows > 0
            || self.replays
            || self.stale;
        if waits {
            self.idle_since = None;
            return None;
        }
        let now = self.shared.clock.now();
        let since = *self.idle_since.get_or_insert(now);
        let long = now.since(since) >= IDLE;
        (long && self.shared.board.dismiss(&self.desk)).then_some(Gone::Idle)
    }

    /// Ends what is in flight, for a while, and records it.
    async fn drain(&mut self) {
        self.closing = true;
        let deadline = tokio::time::Instant::now() + DRAIN;
        while !self.in_flight.is_empty() || !self.finished.is_empty() || self.recording.is_some() {
            self.record();
            let late = tokio::time::sleep_until(deadline);
            tokio::select! {
                Some(ended) = self.in_flight.next() => self.end(ended),
                recorded = answer(&mut self.recording) => self.take_recorded(recorded),
                () = late => break,
            }
        }
    }

    /// Deliveries that are under way or not recorded.
    fn open(&self) -> usize {
        let recording = self.recording.as_ref();
        self.in_flight.len()
            + self.finished.len()
            + recording.map_or(0, |recording| recording.command.items.len())
    }

    fn concurrency(&self) -> usize {
        match self.spec.ordering {
            Ordering::Strict => 1,
            Ordering::None | Ordering::Key => self.spec.concurrency.into(),
        }
    }

    /// Everything up to here is resolved, but for what stands in a batch.
    fn position(&self, resolving: &[Item]) -> i64 {
        // Read before the desk is looked at: what was handed out until then lies there.
        let dispatched = self.shared.board.dispatched();
        let (attached, waiting) = self.desk.look();
        let in_batch: HashSet<i64> = resolving
            .iter()
            .filter(|item| !item.from_retry)
            .map(|item| item.message.position)
            .collect();
        let unresolved = self
            .unresolved
            .iter()
            .copied()
            .find(|position| !in_batch.contains(position));
        let read = self.page.front().map(|message| message.position);
        match [unresolved, read, waiting].into_iter().flatten().min() {
            Some(lowest) => lowest - 1,
            None if attached => self.cursor.max(dispatched),
            None => self.cursor,
        }
    }
}

async fn answer(recording: &mut Option<Recording>) -> Option<Recorded> {
    match recording {
        Some(recording) => (&mut recording.answer).await,
        None => std::future::pending().await,
    }
}

async fn continued(replaying: &mut Option<BoxFuture<'static, bool>>) -> bool {
    match replaying {
        Some(replaying) => replaying.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(shared: &Shared, at: Option<Timestamp>) {
    match at {
        Some(at) => shared.sleeper.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
