//! Following another service's feed: what a service does about its events, and how far it is. There is one reader
//! a feed.

mod reader;
mod stopped;

use std::{sync::Arc, time::Duration};

use pasar_contracts::event::Service;
use pasar_store::{
    context::Context, fault::Fault, feed::FeedEvent, follower::one_by_one, lane::LaneKey,
    store::Store,
};
use pasar_types::id::EpochId;
use tokio::sync::watch;

use self::reader::Reader;
use crate::{follow::Follow, tasks::Tasks};

/// What a service does about another's events.
pub trait Reactions: Send + Sync + 'static {
    /// Whether an event of this type concerns the service at all.
    fn wants(&self, event_type: &str) -> bool;

    /// Which lanes of the service's store an event concerns. Asked only where there are several.
    fn route(&self, event: &FeedEvent) -> Result<Route, Fault>;

    /// Turns the event into the service's own command, in the transaction that moves the position.
    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault>;

    /// The epoch of the events that come from here on. Told before the first, and when it changes.
    fn begins(&self, _epoch: EpochId) {}

    /// How long events are gathered, so that more of them share a commit. All followers of a process with the
    /// same span wait until the same moments, and so share commits too. Zero: each is taken at once.
    fn gather(&self) -> Duration {
        Duration::ZERO
    }

    /// The same for a stretch of events; see [`React::react_all`].
    fn react_all(
        &self,
        context: &mut Context<'_>,
        publisher: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        one_by_one(context, publisher, events, |context, event| {
            self.react(context, event)
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    One(LaneKey),
    All,
}

/// How far a feed is followed, by this process or by another on the same database. Cheap to clone.
#[derive(Clone)]
pub struct Follower {
    publisher: Service,
    store: Store,
    progress: watch::Receiver<Progress>,
}

/// Follows while somebody runs it, any number of times.
pub struct Following(Reader);

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// This process follows now. Otherwise only what is stored tells how far somebody is.
    reads: bool,
    /// Everything up to here was taken.
    taken: i64,
    /// The publisher's head when the follower began and first reached it, once known.
    head_at_boot: Option<i64>,
}

/// How often it is looked how far another process has followed, while somebody waits for that.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Follows a publisher's feed until the owner drains.
pub fn follow(
    tasks: &Tasks,
    publisher: Service,
    feed: Arc<dyn Follow>,
    store: Store,
    reactions: Arc<dyn Reactions>,
) -> Follower {
    let (following, follower) = Following::new(tasks, publisher, feed, store, reactions);
    let draining = tasks.clone();
    tasks.spawn("follower", async move {
        tokio::select! {
            () = following.run() => {}
            () = draining.draining() => {}
        }
    });
    follower
}

impl Following {
    pub fn new(
        tasks: &Tasks,
        publisher: Service,
        feed: Arc<dyn Follow>,
        store: Store,
        reactions: Arc<dyn Reactions>,
    ) -> (Self, Follower) {
        feed.keep_for(&store);
        let (sender, progress) = watch::channel(Progress::default());
        let follower = Follower {
            publisher,
            store: store.clone(),
            progress,
        };
        let reader = Reader::new(tasks, publisher, feed, store, reactions, sender);
        (Self(reader), follower)
    }

    /// Follows until it is dropped.
    pub async fn run(&self) {
        let _reads = Reads::begin(&self.0);
        self.0.run().await;
    }
}

/// What is known of the progress, and what is wrong with it, holds only while it is read here.
struct Reads<'r>(&'r Reader);

impl<'r> Reads<'r> {
    fn begin(reader: &'r Reader) -> Self {
        reader
            .progress
            .send_modify(|progress| progress.reads = true);
        Self(reader)
    }
}

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        self.0.progress.send_replace(Progress::default());
        self.0.alarm.clear();
    }
}

impl Follower {
    /// Everything up to this place was taken by this process since it began to follow.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.progress.borrow().taken
    }

    /// Resolves once everything up to a place was taken, by whomever. Does not resolve if nobody follows.
    pub async fn caught_up_to(&self, sequence: i64) {
        let mut progress = self.progress.clone();
        loop {
            let Progress { reads, taken, .. } = *progress.borrow_and_update();
            if taken >= sequence && reads {
                return;
            }
            if reads {
                changed(&mut progress).await;
                continue;
            }
            // What cannot be read now is asked for again; who waits has a deadline of their own.
            let stored = self.store.stored_position(self.publisher).await;
            if stored.is_ok_and(|stored| stored.is_some_and(|stored| stored >= sequence)) {
                return;
            }
            tokio::select! {
                () = changed(&mut progress) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Resolves once what was in the feed when this process began to follow was taken.
    pub async fn head_at_boot_reached(&self) {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| {
            progress
                .head_at_boot
                .is_some_and(|head| progress.taken >= head)
        });
        if reached.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Never, once nobody can follow any more.
async fn changed(progress: &mut watch::Receiver<Progress>) {
    if progress.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
