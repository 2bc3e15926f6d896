//! Hears from the users feed what ends, so that nothing that was remembered outlives it.
//!
//! The position is kept in memory only: what ended before the start is not remembered by anybody here. While
//! the feed is not heard, what was verified is believed for a short time only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use pasar_chassis::{host::Host, problem::Chain};
use pasar_contracts::{
    event::Event,
    events::users::{ApiKeyRevoked, SessionEnded, UserDeleted, UserRolesChanged},
};
use pasar_feed::follow::Follow;
use pasar_store::{fault::Fault, feed::FeedEvent};

use crate::authentication::lives::Lives;

/// Whether what ends is heard of. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Hearing(Arc<Heard>);

#[derive(Default)]
struct Heard {
    feed: Option<Arc<dyn Follow>>,
    /// From where on is known.
    placed: AtomicBool,
}

const BATCH: usize = 500;
/// Between attempts to read a feed that cannot be read.
const PAUSE: Duration = Duration::from_secs(1);
/// A publisher that says nothing for so long is not heard any more. It tells its head every second.
const SILENCE: Duration = Duration::from_secs(4);

impl Hearing {
    /// Follows from the head that the feed has once it is reached first. Returns once it was tried.
    pub(super) async fn start(
        host: &Host,
        feed: Option<Arc<dyn Follow>>,
        lives: Arc<Lives>,
    ) -> Self {
        let hearing = Self(Arc::new(Heard {
            feed,
            placed: AtomicBool::new(false),
        }));
        let Some(feed) = hearing.0.feed.clone() else {
            return hearing;
        };
        let first = hearing.place(&*feed).await;
        let following = hearing.clone();
        let tasks = host.tasks.clone();
        host.tasks.spawn("gateway revocations", async move {
            tokio::select! {
                () = following.follow(feed, first, lives) => {}
                () = tasks.draining() => {}
            }
        });
        hearing
    }

    /// Whether whatever ends is heard of within moments.
    pub(super) fn is_current(&self) -> bool {
        self.0.placed.load(SeqCst)
            && self
                .0
                .feed
                .as_ref()
                .is_some_and(|feed| feed.silent_for().is_some_and(|silence| silence < SILENCE))
    }

    async fn place(&self, feed: &dyn Follow) -> Option<i64> {
        match feed.head().await {
            Ok(head) => {
                self.0.placed.store(true, SeqCst);
                Some(head.sequence)
            }
            Err(fault) => {
                tell(&fault);
                None
            }
        }
    }

    async fn follow(&self, feed: Arc<dyn Follow>, first: Option<i64>, lives: Arc<Lives>) {
        let mut place = first;
        let mut epoch = feed.epoch();
        let mut missed = false;
        loop {
            let Some(position) = place else {
                tokio::time::sleep(PAUSE).await;
                place = self.place(&*feed).await;
                epoch = feed.epoch();
                // From there on all is heard; what was verified before is verified anew.
                if place.is_some() && std::mem::take(&mut missed) {
                    lives.end_all();
                }
                continue;
            };
            match feed.after(position, BATCH).await {
                // After a restore of users nothing that was verified before is known to hold.
                _ if feed.epoch() != epoch => {
                    self.0.placed.store(false, SeqCst);
                    place = None;
                }
                // Some of what ended was not heard of, and nobody tells it any more.
                Err(Fault::Trimmed { .. }) => {
                    self.0.placed.store(false, SeqCst);
                    (place, missed) = (None, true);
                }
                Ok(events) => {
                    for event in &events {
                        hear(&lives, event);
                        place = Some(event.sequence);
                    }
                    if events.is_empty() {
                        feed.grown(position).await;
                    }
                }
                Err(fault) => {
                    tell(&fault);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn tell(fault: &Fault) {
    match fault {
        // Told of by whoever listens to it, once.
        Fault::Unreachable(_) => {
            tracing::debug!(fault = %Chain(fault), "the users feed cannot be reached");
        }
        _ => tracing::error!(fault = %Chain(fault), "the users feed cannot be read"),
    }
}

fn hear(lives: &Lives, event: &FeedEvent) {
    let ended = match event.event_type.as_str() {
        SessionEnded::TYPE => event
            .decode::<SessionEnded>()
            .map(|e| *e.session_id.as_bytes()),
        ApiKeyRevoked::TYPE => event
            .decode::<ApiKeyRevoked>()
            .map(|e| *e.api_key_id.as_bytes()),
        // Who they are is asked again: the roles of a token are those of when it was made.
        UserRolesChanged::TYPE => event
            .decode::<UserRolesChanged>()
            .map(|e| *e.user_id.as_bytes()),
        UserDeleted::TYPE => event.decode::<UserDeleted>().map(|e| *e.user_id.as_bytes()),
        _ => return,
    };
    match ended {
        Ok(id) => lives.end(&id),
        Err(fault) => tracing::error!(fault = %Chain(&fault), "an event of users cannot be read"),
    }
}
