//! A publisher's feed as a reader sees it, wherever it lies.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use pasar_contracts::event::Service;
use pasar_store::{
    fault::Fault, feed::FeedEvent, follower::Position, lineage::Lineage, snapshot::Stretch,
    store::Store,
};
use pasar_types::id::EpochId;

/// What a feed answers with, later.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives events after a position. A wake-up carries no data: the reader always reads the log.
pub trait Follow: Send + Sync {
    /// The epoch and the newest place.
    fn head(&self) -> Reply<'_, Result<Position, Fault>>;

    /// Up to `limit` events after a place, oldest first, without a gap. Fails with [`Fault::Trimmed`] where some of
    /// them are not kept any more.
    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>>;

    /// Resolves once there are events after a place; may resolve early.
    fn grown(&self, past: i64) -> Reply<'_, ()>;

    /// The epoch and what it forked from. By default it forked from nothing.
    fn lineage(&self) -> Reply<'_, Result<Lineage, Fault>> {
        Box::pin(async {
            let epoch = self.head().await?.epoch;
            Ok(Lineage {
                epoch,
                forks: Vec::new(),
            })
        })
    }

    /// The place up to which only what a new follower needs is kept. By default everything is.
    fn trimmed(&self) -> Reply<'_, Result<i64, Fault>> {
        Box::pin(async { Ok(0) })
    }

    /// The part after a place of what a new follower needs, as of a place that the feed has reached. Looks at `limit`
    /// events. Where nothing is trimmed that may be the feed itself.
    fn snapshot(&self, at: i64, after: i64, limit: usize) -> Reply<'_, Result<Stretch, Fault>> {
        Box::pin(async move {
            let mut events = self.after(after, limit).await?;
            events.retain(|event| event.sequence <= at);
            let upto = events.last().map_or(at, |last| last.sequence);
            Ok(Stretch { events, upto })
        })
    }

    /// Keeps what a follower in the same process has not taken yet, for as long as it lives.
    fn keep_for(&self, _follower: &Store) {}

    /// The epoch of what was read last, where it can change while it is read. Ask after reading: what was
    /// read while another epoch was expected must not be taken.
    fn epoch(&self) -> Option<EpochId> {
        None
    }

    /// How long nothing was heard of the publisher; `None` if it never was. Of one in the same process
    /// everything is heard at once.
    fn silent_for(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

/// The feeds that a service may follow, by publisher.
pub type Feeds = BTreeMap<Service, Arc<dyn Follow>>;

/// The feed of a store in the same process.
#[derive(Clone)]
pub struct LocalFeed(Store);

impl LocalFeed {
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self(store)
    }
}

impl Follow for LocalFeed {
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        Box::pin(async {
            Ok(Position {
                epoch: self.0.epoch(),
                sequence: self.0.head(),
            })
        })
    }

    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        Box::pin(async move { self.0.events_after(after, limit) })
    }

    fn grown(&self, past: i64) -> Reply<'_, ()> {
        Box::pin(async move {
            let mut heads = self.0.heads();
            // The sender lives in the store that this feed holds, so it cannot be gone.
            let _ = heads.wait_for(|head| *head > past).await;
        })
    }

    fn lineage(&self) -> Reply<'_, Result<Lineage, Fault>> {
        Box::pin(self.0.lineage())
    }

    fn trimmed(&self) -> Reply<'_, Result<i64, Fault>> {
        Box::pin(async { Ok(self.0.trimmed()) })
    }

    fn snapshot(&self, at: i64, after: i64, limit: usize) -> Reply<'_, Result<Stretch, Fault>> {
        Box::pin(self.0.snapshot(at, after, limit))
    }

    fn keep_for(&self, follower: &Store) {
        self.0.hold_for(follower);
    }
}
