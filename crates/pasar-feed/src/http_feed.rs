//! The feed of a service in another process, over HTTP: the backlog in pages, what is new from a stream.
//!
//! The stream saves reading what it brought; it is never believed beyond that. Whatever it did not bring, or
//! brought with a gap, is read in pages.

mod publisher;
mod streaming;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use pasar_contracts::{
    api::feeds::{FeedHead, FeedPage, Fork, MAX_FEED_LIMIT, SnapshotQuery},
    event::Service,
};
use pasar_store::{
    fault::Fault, feed::FeedEvent, follower::Position, lineage::Lineage, snapshot::Stretch,
};
use pasar_types::id::EpochId;
use tokio::{sync::watch, time::Instant};

pub use self::publisher::{Introduce, Publisher};
use crate::{
    envelope,
    follow::{Follow, Reply},
    recent::Recent,
    tasks::Tasks,
};

/// A feed over HTTP. Cheap to clone; all clones share one stream.
#[derive(Clone)]
pub struct HttpFeed(Arc<Inner>);

struct Inner {
    publisher: Publisher,
    known: watch::Sender<Known>,
    recent: Mutex<Recent>,
    heard: Mutex<Option<Instant>>,
}

/// What the publisher last said of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    epoch: Option<EpochId>,
    head: i64,
}

impl HttpFeed {
    /// Begins to listen to the publisher, until the owner drains. Whoever asks before it answers is told
    /// that it cannot be reached.
    #[must_use]
    pub fn start(tasks: &Tasks, publisher: Publisher) -> Self {
        let feed = Self(Arc::new(Inner {
            publisher,
            known: watch::Sender::default(),
            recent: Mutex::default(),
            heard: Mutex::new(None),
        }));
        let streaming = feed.clone();
        let draining = tasks.clone();
        tasks.spawn("feed stream", async move {
            tokio::select! {
                () = streaming::run(&streaming) => {}
                () = draining.draining() => {}
            }
        });
        feed
    }

    #[must_use]
    pub fn service(&self) -> Service {
        self.0.publisher.service()
    }

    async fn page(&self, after: i64, limit: u32) -> Result<FeedPage, Fault> {
        let page = self.0.publisher.page(after, limit).await?;
        self.learn(&page.head);
        Ok(page)
    }

    /// Takes over what the publisher says of itself. Within an epoch a head only grows, whichever instance
    /// tells it.
    fn learn(&self, said: &FeedHead) {
        *self.0.heard.lock() = Some(Instant::now());
        self.0.known.send_if_modified(|known| {
            if known.epoch != Some(said.epoch) {
                self.0.recent.lock().clear();
                *known = Known {
                    epoch: Some(said.epoch),
                    head: said.sequence,
                };
                return true;
            }
            let grew = said.sequence > known.head;
            known.head = known.head.max(said.sequence);
            grew
        });
    }

    /// Takes an event that the stream brought.
    fn take(&self, epoch: EpochId, event: FeedEvent) {
        let sequence = event.sequence;
        *self.0.heard.lock() = Some(Instant::now());
        self.0.known.send_if_modified(|known| {
            if known.epoch != Some(epoch) {
                self.0.recent.lock().clear();
                *known = Known {
                    epoch: Some(epoch),
                    head: 0,
                };
            }
            self.0.recent.lock().push(event);
            let grew = sequence > known.head;
            known.head = known.head.max(sequence);
            grew
        });
    }
}

impl Follow for HttpFeed {
    /// Asked of the publisher each time.
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        Box::pin(async move {
            let head = self.page(0, 0).await?.head;
            Ok(Position {
                epoch: head.epoch,
                sequence: head.sequence,
            })
        })
    }

    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        Box::pin(async move {
            if let Some(events) = self.0.recent.lock().after(after, limit) {
                return Ok(events);
            }
            let known = *self.0.known.borrow();
            if known.epoch.is_some() && after >= known.head {
                return Ok(Vec::new());
            }
            let most = u32::try_from(limit).unwrap_or(u32::MAX);
            let page = self.page(after, most.min(MAX_FEED_LIMIT)).await?;
            let events: Vec<_> = page
                .events
                .into_iter()
                .map(|event| Arc::new(envelope::unwrap(event)))
                .collect();
            if !follows_on(after, &events) {
                return Err(Fault::Corrupt(format!(
                    "the feed of {} has a gap after {after}",
                    self.service()
                )));
            }
            Ok(events)
        })
    }

    /// Also when the feed begins a new epoch: what is read next tells.
    fn grown(&self, past: i64) -> Reply<'_, ()> {
        let mut known = self.0.known.subscribe();
        let epoch = known.borrow().epoch;
        Box::pin(async move {
            let news = known.wait_for(|known| known.head > past || known.epoch != epoch);
            // The sender lives in the feed that is borrowed.
            let _ = news.await;
        })
    }

    fn lineage(&self) -> Reply<'_, Result<Lineage, Fault>> {
        Box::pin(async move {
            let head = self.page(0, 0).await?.head;
            let newest = head
                .parent
                .zip(head.forked_at)
                .map(|(epoch, forked_at)| Fork { epoch, forked_at });
            let forks = newest.into_iter().chain(head.earlier);
            Ok(Lineage {
                epoch: head.epoch,
                forks: forks
                    .map(|Fork { epoch, forked_at }| Position {
                        epoch,
                        sequence: forked_at,
                    })
                    .collect(),
            })
        })
    }

    fn trimmed(&self) -> Reply<'_, Result<i64, Fault>> {
        Box::pin(async { Ok(self.page(0, 0).await?.head.trimmed) })
    }

    fn snapshot(&self, at: i64, after: i64, limit: usize) -> Reply<'_, Result<Stretch, Fault>> {
        Box::pin(async move {
            let most = u32::try_from(limit).unwrap_or(u32::MAX);
            let query = SnapshotQuery {
                at: Some(at),
                after: Some(after),
                limit: Some(most.min(MAX_FEED_LIMIT)),
            };
            let page = self.0.publisher.snapshot(&query).await?;
            self.learn(&page.head);
            // Whoever is told so must come to the end.
            if page.at != at || page.upto <= after || page.upto > at {
                return Err(Fault::Corrupt(format!(
                    "the snapshot of {} as of {at} goes from {after} to {} as of {}",
                    self.service(),
                    page.upto,
                    page.at
                )));
            }
            let events = page.events.into_iter();
            Ok(Stretch {
                events: events
                    .map(|event| Arc::new(envelope::unwrap(event)))
                    .collect(),
                upto: page.upto,
            })
        })
    }

    fn epoch(&self) -> Option<EpochId> {
        self.0.known.borrow().epoch
    }

    fn silent_for(&self) -> Option<Duration> {
        self.0.heard.lock().map(|heard| heard.elapsed())
    }
}

/// Whether events lie one after the other from a place on.
fn follows_on(after: i64, events: &[Arc<FeedEvent>]) -> bool {
    events
        .iter()
        .zip(after + 1..)
        .all(|(event, expected)| event.sequence == expected)
}
