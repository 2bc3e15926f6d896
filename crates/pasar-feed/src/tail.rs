//! The end of a service's own feed: wakes whoever waits for changes of one key, or of all.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use pasar_store::{feed::FeedEvent, store::Store};
use tokio::sync::{Notify, watch};

use crate::tasks::Tasks;

/// A service's own feed, watched by many. Cheap to clone.
#[derive(Clone)]
pub struct Tail(Arc<Watchers>);

/// Hears of changes from the moment it was made. Read the state after making it, then wait.
pub struct Watch {
    watchers: Arc<Watchers>,
    key: Option<String>,
    id: u64,
    slot: Arc<Slot>,
}

/// What a watch heard since it was last asked.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub events: Vec<Arc<FeedEvent>>,
    /// More happened than is kept: read the log instead.
    pub missed: bool,
}

#[derive(Default)]
struct Watchers {
    next: AtomicU64,
    by_key: Mutex<HashMap<String, Slots>>,
    all: Mutex<Slots>,
}

/// The slots of some watches, by the watch's number.
type Slots = Vec<(u64, Arc<Slot>)>;

#[derive(Default)]
struct Slot {
    heard: Mutex<Changes>,
    news: Notify,
}

const STRETCH: usize = 512;
/// Events that wait for one slow watcher at most.
const MOST_HEARD: usize = 256;

impl Tail {
    pub fn spawn(tasks: &Tasks, store: Store) -> Self {
        let watchers = Arc::new(Watchers::default());
        let tail = Self(Arc::clone(&watchers));
        let draining = tasks.clone();
        // Taken here, not in the task: what is committed from now on is heard.
        let heads = store.heads();
        let last = store.head();
        tasks.spawn("tail", async move {
            tokio::select! {
                () = watchers.run(store, heads, last) => {}
                () = draining.draining() => {}
            }
        });
        tail
    }

    /// Watches one key.
    #[must_use]
    pub fn watch(&self, key: &str) -> Watch {
        let (id, slot) = self.slot();
        let mut by_key = self.0.by_key.lock();
        by_key
            .entry(key.to_owned())
            .or_default()
            .push((id, Arc::clone(&slot)));
        drop(by_key);
        Watch {
            watchers: Arc::clone(&self.0),
            key: Some(key.to_owned()),
            id,
            slot,
        }
    }

    /// Watches everything.
    #[must_use]
    pub fn watch_all(&self) -> Watch {
        let (id, slot) = self.slot();
        self.0.all.lock().push((id, Arc::clone(&slot)));
        Watch {
            watchers: Arc::clone(&self.0),
            key: None,
            id,
            slot,
        }
    }

    fn slot(&self) -> (u64, Arc<Slot>) {
        (self.0.next.fetch_add(1, Ordering::Relaxed), Arc::default())
    }
}

impl Watch {
    /// Waits until something happened; never answers empty.
    pub async fn changed(&mut self) -> Changes {
        loop {
            let news = self.slot.news.notified();
            let heard = std::mem::take(&mut *self.slot.heard.lock());
            if heard.missed || !heard.events.is_empty() {
                return heard;
            }
            news.await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(key) = &self.key else {
            self.watchers.all.lock().retain(|(id, _)| *id != self.id);
            return;
        };
        let mut by_key = self.watchers.by_key.lock();
        if let Some(slots) = by_key.get_mut(key) {
            slots.retain(|(id, _)| *id != self.id);
            if slots.is_empty() {
                by_key.remove(key);
            }
        }
    }
}

impl Watchers {
    async fn run(&self, store: Store, mut heads: watch::Receiver<i64>, mut last: i64) {
        loop {
            heads.mark_unchanged();
            match store.events_after(last, STRETCH) {
                Ok(events) => {
                    if let Some(newest) = events.last() {
                        last = newest.sequence;
                        self.tell(&events);
                        continue;
                    }
                }
                Err(fault) => {
                    tracing::error!(service = %store.service(), error = %fault, "own feed cannot be read");
                }
            }
            if heads.changed().await.is_err() {
                return;
            }
        }
    }

    fn tell(&self, events: &[Arc<FeedEvent>]) {
        for event in events {
            let by_key = self.by_key.lock();
            for (_, slot) in by_key.get(&event.key).into_iter().flatten() {
                slot.hear(event);
            }
        }
        for (_, slot) in &*self.all.lock() {
            events.iter().for_each(|event| slot.hear(event));
        }
    }
}

impl Slot {
    fn hear(&self, event: &Arc<FeedEvent>) {
        let mut heard = self.heard.lock();
        if heard.events.len() < MOST_HEARD {
            heard.events.push(Arc::clone(event));
        } else {
            heard.events.clear();
            heard.missed = true;
        }
        drop(heard);
        self.news.notify_one();
    }
}
