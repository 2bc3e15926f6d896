//! A service's database: opening it, writing through its lanes, reading snapshots of it.

use std::{path::PathBuf, sync::Arc, thread::JoinHandle};

use parking_lot::Mutex;
use pasar_contracts::event::Service;
use pasar_types::{id::EpochId, time::Timestamp};
use tokio::sync::watch;

pub use crate::migration::Migration;
use crate::{
    cause::Cause,
    checkpoint::Checkpointer,
    clock::Clock,
    context::{Announcement, Context},
    effect::{self, Effect},
    engine::{self, Access, Connection},
    fault::Fault,
    feed::{self, FeedEvent},
    follower::{self, Batch, Position, React, Taken},
    group::Writer,
    ids::Ids,
    lane::{Answer, Class, Command, LaneKey, Queue},
    migration,
    published::Published,
    readers::Readers,
    timer::{self, Timer},
    tx::Tx,
    watcher::Watcher,
};

/// A database with its lanes. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// How a store is opened.
pub struct StoreOptions {
    pub service: Service,
    pub path: PathBuf,
    pub migrations: &'static [Migration],
    pub executor: Executor,
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
#[error("failed to open the database of {service} at {}: {advice}", path.display())]
pub struct OpenError {
    service: Service,
    path: PathBuf,
    advice: &'static str,
    #[source]
    source: Fault,
}

struct Inner {
    service: Service,
    epoch: EpochId,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    queue: Arc<Queue>,
    published: Arc<Published>,
    readers: Arc<Readers>,
    /// Looks for what others commit; only where the database is shared.
    watcher: Mutex<Option<Watcher>>,
    shared: bool,
    /// Only with [`Executor::Inline`].
    inline: Option<Mutex<Writer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A SQLite database has one lane.
const LANES: u32 = 1;
/// Weight of a group: what one commit is shared by, and what one caller may wait for.
const MOST_IN_GROUP: usize = 256;

impl StoreOptions {
    pub fn file(
        service: Service,
        path: impl Into<PathBuf>,
        migrations: &'static [Migration],
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            service,
            path: path.into(),
            migrations,
            executor: Executor::Threads,
            shared: false,
            clock,
            ids,
        }
    }
}

impl Store {
    /// Creates the database if there is none, migrates it and starts its lanes.
    pub fn open(options: StoreOptions) -> Result<Self, OpenError> {
        let (service, path) = (options.service, options.path.clone());
        Self::open_inner(options).map_err(|source| OpenError {
            service,
            path,
            advice: engine::open_error(&source),
            source,
        })
    }

    fn open_inner(options: StoreOptions) -> Result<Self, Fault> {
        let StoreOptions {
            service,
            path,
            migrations,
            executor,
            shared,
            clock,
            ids,
        } = options;
        let connection = Connection::open(&path, Access::Write)?;
        migration::run(&connection, migrations, clock.now())?;
        let epoch = begin_epoch(&connection, service, &*clock, &*ids)?;
        let ends = feed::ends(&Tx::new(&connection, service))?;
        let published = Arc::new(Published::new(ends.head, shared));
        let queue = Arc::new(Queue::default());
        let checkpointer = match executor {
            Executor::Inline => Checkpointer::inline(),
            Executor::Threads => Checkpointer::spawn(service, &path)?,
        };
        let mut writer = Writer::new(
            connection,
            checkpointer,
            service,
            Arc::clone(&clock),
            Arc::clone(&ids),
            Arc::clone(&published),
            shared,
        );
        let readers = Arc::new(Readers::new(path));
        let watcher = (shared && executor == Executor::Threads)
            .then(|| {
                let (readers, published) = (Arc::clone(&readers), Arc::clone(&published));
                Watcher::spawn(service, readers, published, ends)
            })
            .transpose()?;
        let (inline, thread) = match executor {
            Executor::Inline => (Some(Mutex::new(writer)), None),
            Executor::Threads => {
                let queue = Arc::clone(&queue);
                let thread = std::thread::Builder::new()
                    .name(format!("{service}-lane-0"))
                    .spawn(move || {
                        while let Some(jobs) = queue.take(MOST_IN_GROUP) {
                            writer.run(jobs);
                        }
                    })
                    .map_err(|error| Fault::Bug(format!("no thread for a lane: {error}")))?;
                (None, Some(thread))
            }
        };
        Ok(Self(Arc::new(Inner {
            service,
            epoch,
            clock,
            ids,
            queue,
            published,
            readers,
            watcher: Mutex::new(watcher),
            shared,
            inline,
            thread: Mutex::new(thread),
        })))
    }

    /// Runs a command in its lane. The answer is there once it is durable. The command may run again
    /// after a conflict; it must not write through the store itself.
    pub fn write<T, F>(&self, lane: LaneKey, class: Class, cause: Cause, command: F) -> Answer<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        debug_assert!(lane.lane(LANES) < LANES, "one lane, one queue");
        self.submit(class, cause, 1, command)
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
        debug_assert!(lane.lane(LANES) < LANES, "one lane, one queue");
        self.submit(class, cause, weight.max(1), command)
    }

    fn submit<T, F>(&self, class: Class, cause: Cause, weight: usize, command: F) -> Answer<T>
    where
        F: FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = Command::job(cause, weight, command);
        self.0.queue.push(class, job, &*self.0.clock);
        answer
    }

    /// Reads one consistent snapshot. For short, bounded reads: it runs on the caller's thread.
    #[expect(
        clippy::unused_async,
        reason = "an engine over the network has to wait here"
    )]
    pub async fn read<T>(
        &self,
        query: impl FnOnce(&Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.read_now(query)
    }

    /// The same for callers that may block.
    pub fn read_now<T>(&self, query: impl FnOnce(&Tx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.0.readers.with(|connection| {
            connection.begin_read()?;
            let result = query(&Tx::new(connection, self.0.service));
            let ended = connection.commit();
            let value = result?;
            ended?;
            Ok(value)
        })
    }

    /// Runs up to so many waiting commands as one group; returns how many it took.
    ///
    /// # Panics
    /// If the lanes have threads of their own.
    pub fn run_group(&self, most: usize) -> usize {
        let writer = self
            .0
            .inline
            .as_ref()
            .expect("run_group is for Executor::Inline");
        let jobs = self.0.queue.take_now(most);
        let taken = jobs.len();
        if taken > 0 {
            writer.lock().run(jobs);
        }
        taken
    }

    /// The place of the newest committed event.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.0.published.head.borrow()
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

    /// Committed events after a place, oldest first.
    pub fn events_after(&self, after: i64, limit: usize) -> Result<Vec<Arc<FeedEvent>>, Fault> {
        if after >= self.head() {
            return Ok(Vec::new());
        }
        match self.0.published.recent.after(after, limit) {
            Some(events) => Ok(events),
            None => self.read_now(|tx| feed::after(tx, after, limit)),
        }
    }

    /// Committed events of one key after a version, oldest first.
    pub fn events_of(
        &self,
        key: &str,
        after_version: i64,
        limit: usize,
    ) -> Result<Vec<Arc<FeedEvent>>, Fault> {
        self.read_now(|tx| feed::of_key(tx, key, after_version, limit))
    }

    /// How far a lane has followed a publisher; begins at the start of its feed.
    pub fn position(&self, publisher: Service, epoch: EpochId, lane: u32) -> Answer<Position> {
        let cause = self.own_cause();
        self.submit(Class::Internal, cause, 1, move |context| {
            follower::start(context, publisher, lane, Position { epoch, sequence: 0 })?;
            follower::position(context, publisher, lane)?
                .ok_or_else(|| Fault::Bug("a position vanished".to_owned()))
        })
    }

    /// The place up to which all lanes have followed a publisher, whoever followed; `None` before anybody did.
    pub async fn stored_position(&self, publisher: Service) -> Result<Option<i64>, Fault> {
        let lanes = self.lanes();
        self.read(|tx| follower::stored(tx, publisher, lanes)).await
    }

    /// Takes a stretch of a foreign feed in one command. A batch that faults is run again with care, so
    /// that only the key of the event at fault is parked.
    pub fn react(&self, batch: Batch, reactions: Arc<dyn React>) -> Answer<Taken> {
        let cause = self.own_cause();
        let weight = batch.events.len().max(1);
        let mut careful = false;
        self.submit(Class::Internal, cause, weight, move |context| {
            follower::take(context, &batch, &*reactions, careful).map_err(|fault| {
                if careful {
                    return fault;
                }
                careful = true;
                Fault::Conflict("an event of the batch cannot be taken")
            })
        })
    }

    /// Tries the parked events of a publisher again; answers how many were taken and how many are left.
    pub fn retry_parked(
        &self,
        publisher: Service,
        lane: u32,
        reactions: Arc<dyn React>,
    ) -> Answer<(usize, usize)> {
        let cause = self.own_cause();
        self.submit(Class::Internal, cause, 1, move |context| {
            follower::retry_parked(context, publisher, lane, &*reactions)
        })
    }

    pub fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, Fault> {
        self.read_now(|tx| timer::due(tx, now, limit))
    }

    /// When the next timer is due. From here on [`Store::timers_changed`] tells of earlier ones only.
    pub fn next_timer_due(&self) -> Result<Option<Timestamp>, Fault> {
        let never = Timestamp::from_micros(i64::MAX);
        self.0.published.arm(|_| never);
        let next = self.read_now(timer::next_due)?;
        self.0
            .published
            .arm(|earliest| earliest.min(next.unwrap_or(never)));
        Ok(next)
    }

    /// Changes when a commit set a timer that is due before all that were known.
    #[must_use]
    pub fn timers_changed(&self) -> watch::Receiver<Timestamp> {
        self.0.published.earliest_timer.subscribe()
    }

    /// Effects with greater ids, oldest first.
    pub fn effects_after(&self, id: i64, limit: usize) -> Result<Vec<Effect>, Fault> {
        self.read_now(|tx| effect::after(tx, id, limit))
    }

    pub fn effect(&self, id: i64) -> Result<Option<Effect>, Fault> {
        self.read_now(|tx| effect::one(tx, id))
    }

    /// Changes whenever a commit enqueued effects.
    #[must_use]
    pub fn effects_changed(&self) -> watch::Receiver<u64> {
        self.0.published.effects.subscribe()
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
        LANES
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
        self.queue.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!(service = %self.service, "a lane ended by a panic");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn begin_epoch(
    connection: &Connection,
    service: Service,
    clock: &dyn Clock,
    ids: &dyn Ids,
) -> Result<EpochId, Fault> {
    let new = EpochId::from_uuid(ids.uuid_v7(clock.now()));
    let tx = Tx::new(connection, service);
    tx.execute(
        "INSERT INTO store_meta (one, service, lanes, epoch) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (one) DO NOTHING",
        &[&service, &LANES, &new],
    )?;
    let (owner, epoch) = tx.query_one("SELECT service, epoch FROM store_meta", &[], |row| {
        Ok((row.get::<Service>(0)?, row.get(1)?))
    })?;
    if owner != service {
        return Err(Fault::Corrupt(format!(
            "the database belongs to {owner}, not to {service}"
        )));
    }
    Ok(epoch)
}
