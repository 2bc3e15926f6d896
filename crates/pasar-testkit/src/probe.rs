//! Waiting for what a service publishes, with a deadline instead of a sleep.

use std::{future::Future, sync::Arc, time::Duration};

use pasar_contracts::event::Event;
use pasar_store::{feed::FeedEvent, store::Store};

/// Reads a store's feed as it grows.
pub struct Probe {
    store: Store,
    seen: i64,
}

/// How long a test waits for what should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(20);
const STRETCH: usize = 256;

impl Probe {
    /// From the beginning of the feed.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store, seen: 0 }
    }

    /// From here on.
    #[must_use]
    pub fn from_now(store: Store) -> Self {
        let seen = store.head();
        Self { store, seen }
    }

    /// The next event of a type, for a key. Events before it are passed over.
    ///
    /// # Panics
    /// If it does not come in time; names what came instead.
    pub async fn next_of<E: Event>(&mut self, key: &str) -> E {
        let mut passed = Vec::new();
        let wanted = format!("{} of {key}", E::TYPE);
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let event = self.next().await;
                if event.event_type == E::TYPE && event.key == key {
                    return event;
                }
                passed.push(format!("{} of {}", event.event_type, event.key));
            }
        })
        .await;
        match found {
            Ok(event) => event.decode().expect("a stored event decodes"),
            Err(_) => panic!("no {wanted} came, only {passed:?}"),
        }
    }

    /// The next event, whatever it is. Waits without end.
    ///
    /// # Panics
    /// If the feed cannot be read.
    pub async fn next(&mut self) -> Arc<FeedEvent> {
        let mut heads = self.store.heads();
        loop {
            heads.mark_unchanged();
            let events = self
                .store
                .events_after(self.seen, STRETCH)
                .expect("the feed can be read");
            if let Some(event) = events.first() {
                self.seen = event.sequence;
                return Arc::clone(event);
            }
            heads.changed().await.expect("the store is held");
        }
    }
}

/// Waits for what should happen at once.
///
/// # Panics
/// If it does not happen in time.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen within {} s", PATIENCE.as_secs()))
}
