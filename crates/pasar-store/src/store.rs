//! A service's database: writing through its lanes, reading snapshots of it.

mod due;
mod follow;
mod open;

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pasar_contracts::event::Service;
use pasar_types::id::EpochId;
use tokio::sync::{oneshot, watch};

use crate::{
    cause::Cause,
    clock::Clock,
    context::{Announcement, Context},
    fault::Fault,
    feed::{self, FeedEvent},
    ids::Ids,
    lane::{Answer, Class, Command, LaneKey, RETRY_AFTER},
    lanes::Lanes,
    published::Published,
    readers::{ReadThreads, Readers},
    snapshot::Needed,
    tx::Tx,
    watcher::Watcher,
};
pub use crate::{
    migration::{Migrated, Migration},
    place::Place,
};

/// A database with its lanes. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

/// How a store is opened.
pub struct StoreOptions {
    pub service: Service,
    pub place: Place,
    pub migrations: &'static [Migration],
    /// Whether missing steps are taken. Otherwise a database that lacks one is refused.
    pub migrate: bool,
    /// Lanes of a database that is made now, on an engine with several writers; later the database says.
    pub lanes: u32,
    pub executor: Executor,
    /// What a new follower needs of this service's feed.
    pub needed: Needed,
    /// Other processes may have the same database open.
    pub shared: bool,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// Where the lanes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// A thread a lane.
    Threads,
    /// On the caller's thread, when it calls [`Store::run_group`]: for tests and simulation.
    Inline,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to open the database of {service} at {place}: {advice}")]
pub struct OpenError {
    service: Service,
    place: Place,
    advice: String,
    #[source]
    source: Fault,
}

pub(crate) struct Inner {
    service: Service,
    epoch: EpochId,
    pub(crate) needed: Needed,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    lanes: Lanes,
    pub(crate) published: Arc<Published>,
    /// Stores of this process that follow this one's feed.
    pub(crate) followers: Mutex<Vec<Weak<Inner>>>,
    readers: Arc<Readers>,
    /// Only where reading is waiting for a network.
    read_threads: Option<ReadThreads>,
    /// Looks for what others commit; only where the database is shared.
    watcher: Mutex<Option<Watcher>>,
    shared: bool,
}

impl Store {
    /// Runs a command in its lane. The answer is there once it is durable. The command may run again
    /// after a conflict; it must not write through the store itself.
    pub fn write<T, F>(&self, lane: LaneKey, class: Class, cause: Cause, command: F) -> Answer<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(lane.lane(self.lanes()), class, cause, 1, command)
    }

    /// The same for a command that does the work of many: it counts as so many of those that one commit is
    /// shared by.
    pub fn write_weighing<T, F>(
        &self,
        weight: usize,
        lane: LaneKey,
        class: Class,
        cause: Cause,
        command: F,
    ) -> Answer<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let lane = lane.lane(self.lanes());
        self.submit(lane, class, cause, weight.max(1), command)
    }

    fn submit<T, F>(
        &self,
        lane: u32,
        class: Class,
        cause: Cause,
        weight: usize,
        command: F,
    ) -> Answer<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = Command::job(cause, weight, command);
        self.0.lanes.queue(lane).push(class, job, &*self.0.clock);
        answer
    }

    /// Reads one consistent snapshot. For short, bounded reads: one from a file runs on the caller's thread, one
    /// over a network on a thread of the store.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Fault>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let Some(threads) = &self.0.read_threads else {
            return self.read_now(query);
        };
        let (answer, answered) = oneshot::channel();
        let (readers, service) = (Arc::clone(&self.0.readers), self.0.service);
        let is_taken = threads.run(move || {
            // Whoever asked may have gone.
            let _ = answer.send(readers.snapshot(service, query));
        });
        if !is_taken {
            return Err(Fault::Overloaded {
                retry_after: RETRY_AFTER,
            });
        }
        answered.await.unwrap_or(Err(Fault::Closed))
    }

    /// The same for callers that may block.
    pub fn read_now<T>(&self, query: impl FnOnce(&Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.0.readers.snapshot(self.0.service, query)
    }

    /// Runs up to so many waiting commands as one group; returns how many it took.
    ///
    /// # Panics
    /// If the lanes have threads of their own.
    pub fn run_group(&self, most: usize) -> usize {
        self.0.lanes.run_group(most)
    }

    /// The place of the newest committed event.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.0.published.head.borrow()
    }

    /// The same as the database says it, where other processes may have committed more than was heard of.
    pub async fn stored_head(&self) -> Result<i64, Fault> {
        self.read(|tx| Ok(feed::ends(tx)?.head)).await
    }

    /// Changes whenever events are committed.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<i64> {
        self.0.published.head.subscribe()
    }

    #[must_use]
    pub fn epoch(&self) -> EpochId {
        self.0.epoch
    }

    /// Committed events after a place, oldest first and without a gap. Fails with [`Fault::Trimmed`] where some of
    /// them are not kept any more.
    pub fn events_after(&self, after: i64, limit: usize) -> Result<Vec<Arc<FeedEvent>>, Fault> {
        if after >= self.head() {
            return Ok(Vec::new());
        }
        let known = self.trimmed();
        if after < known {
            return Err(Fault::Trimmed { upto: known });
        }
        if let Some(events) = self.0.published.recent.after(after, limit) {
            return Ok(events);
        }
        // Another process may have trimmed further.
        let read = self.read_now(|tx| {
            let trimmed = feed::trimmed(tx)?;
            if after < trimmed {
                return Err(Fault::Trimmed { upto: trimmed });
            }
            feed::after(tx, after, limit)
        });
        read.inspect_err(|fault| self.0.published.learn_trimmed(fault))
    }

    /// Committed events of one key after a version that are kept, oldest first.
    pub fn events_of(
        &self,
        key: &str,
        after_version: i64,
        limit: usize,
    ) -> Result<Vec<Arc<FeedEvent>>, Fault> {
        self.read_now(|tx| feed::of_key(tx, key, after_version, i64::MAX, limit))
    }

    /// Changes whenever another process committed something to this database. Never where it is not shared.
    #[must_use]
    pub fn foreign_commits(&self) -> watch::Receiver<u64> {
        self.0.published.foreign.subscribe()
    }

    /// Whether other processes may have this database open.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.shared
    }

    /// Hears what commands announce ([`Context::announce`]) from now on: after each commit, in the order of
    /// commits, on the lane's thread, so it must be quick. A store has one listener, for its whole life.
    ///
    /// # Panics
    /// If there is one already.
    pub fn listen(&self, listener: impl Fn(Vec<Announcement>) + Send + Sync + 'static) {
        let taken = self.0.published.listener.set(Box::new(listener));
        assert!(taken.is_ok(), "a store has one listener");
    }

    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.0.lanes.count()
    }

    #[must_use]
    pub fn service(&self) -> Service {
        self.0.service
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    #[must_use]
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.0.ids
    }

    /// Takes no more work, does what waits, and ends the lanes.
    pub fn close(&self) {
        self.0.close();
    }

    pub(crate) fn own_cause(&self) -> Cause {
        let flow = self.0.ids.uuid_v7(self.0.clock.now());
        Cause::new(
            crate::cause::Actor::Service(self.0.service),
            pasar_types::id::FlowId::from_uuid(flow),
        )
    }
}

impl Inner {
    fn close(&self) {
        drop(self.watcher.lock().take());
        self.lanes.close(self.service);
        if let Some(threads) = &self.read_threads {
            threads.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
