//! The orders feed, which a test can hold back or cut off.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use pasar_feed::follow::{Follow, LocalFeed, Reply};
use pasar_store::{fault::Fault, feed::FeedEvent, follower::Position, store::Store};
use tokio::sync::watch;

pub(crate) struct GatedFeed {
    feed: LocalFeed,
    open: watch::Sender<bool>,
    reachable: AtomicBool,
}

impl GatedFeed {
    pub(super) fn new(orders: Store) -> Self {
        Self {
            feed: LocalFeed::new(orders),
            open: watch::Sender::new(true),
            reachable: AtomicBool::new(true),
        }
    }

    /// Holds events back (they are in the feed, but nobody reads them), or lets them through.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Whether the feed tells its head.
    pub(crate) fn set_reachable(&self, reachable: bool) {
        self.reachable.store(reachable, Ordering::SeqCst);
    }
}

impl Follow for GatedFeed {
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        if self.reachable.load(Ordering::SeqCst) {
            self.feed.head()
        } else {
            Box::pin(async { Err(Fault::Closed) })
        }
    }

    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        Box::pin(async move {
            let mut open = self.open.subscribe();
            let _ = open.wait_for(|open| *open).await;
            self.feed.after(after, limit).await
        })
    }

    fn grown(&self, past: i64) -> Reply<'_, ()> {
        self.feed.grown(past)
    }
}
