//! What a commit makes known to those who wait in the same process.

use std::{
    collections::BTreeSet,
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use pasar_types::time::Timestamp;
use tokio::sync::watch;

use crate::{
    context::{Announcement, Pending},
    fault::Fault,
    feed::{Ends, FeedEvent},
    recent::Recent,
};

/// The newest places and dues of one store.
pub(crate) struct Published {
    pub(crate) head: watch::Sender<i64>,
    pub(crate) earliest_timer: watch::Sender<Timestamp>,
    pub(crate) effects: watch::Sender<u64>,
    /// Counts looks that found something of another process.
    pub(crate) foreign: watch::Sender<u64>,
    /// News of this process that the watcher has not passed; `None` where there is no watcher.
    own: Option<Mutex<BTreeSet<i64>>>,
    /// Only grows. Another process may have trimmed further.
    trimmed: AtomicI64,
    pub(crate) recent: Recent,
    pub(crate) listener: OnceLock<Box<Listener>>,
}

/// News of this process that the watcher has not looked at, at most.
const MOST_OWN: usize = 65_536;

/// Hears what a group announced, on its lane's thread: it must not block.
pub(crate) type Listener = dyn Fn(Vec<Announcement>) + Send + Sync;

impl Published {
    pub(crate) fn new(head: i64, trimmed: i64, shared: bool) -> Self {
        Self {
            head: watch::Sender::new(head),
            earliest_timer: watch::Sender::new(Timestamp::from_micros(i64::MAX)),
            effects: watch::Sender::new(0),
            foreign: watch::Sender::new(0),
            own: shared.then(Mutex::default),
            trimmed: AtomicI64::new(trimmed),
            recent: Recent::default(),
            listener: OnceLock::new(),
        }
    }

    pub(crate) fn trimmed(&self) -> i64 {
        self.trimmed.load(Relaxed)
    }

    pub(crate) fn raise_trimmed(&self, upto: i64) {
        self.trimmed.fetch_max(upto, Relaxed);
    }

    /// Takes over what a reader found to be gone.
    pub(crate) fn learn_trimmed(&self, fault: &Fault) {
        if let Fault::Trimmed { upto } = fault {
            self.raise_trimmed(*upto);
        }
    }

    /// Sets from when on a timer is news, without telling anybody.
    pub(crate) fn arm(&self, earliest: impl FnOnce(Timestamp) -> Timestamp) {
        self.earliest_timer.send_if_modified(|known| {
            *known = earliest(*known);
            false
        });
    }

    pub(crate) fn publish(&self, ends: Option<Ends>, pending: Pending) {
        if let Some(Ends { head, news }) = ends {
            self.recent.push(pending.events);
            self.raise_head(head);
            if let Some(own) = &self.own {
                let mut own = own.lock();
                // Beyond it the oldest is taken for foreign.
                if own.len() == MOST_OWN {
                    own.pop_first();
                }
                own.insert(news);
            }
        }
        if !pending.announced.is_empty()
            && let Some(listener) = self.listener.get()
        {
            listener(pending.announced);
        }
        if let Some(earliest) = pending.earliest_timer {
            self.tell_timer(earliest);
        }
        if !pending.effects.is_empty() {
            self.effects.send_modify(|groups| *groups += 1);
        }
    }

    /// Another process committed something, nobody says what; `events` are those after what is kept, if they are few.
    pub(crate) fn publish_foreign(
        &self,
        head: i64,
        events: Vec<FeedEvent>,
        next_timer: Option<Timestamp>,
    ) {
        self.recent.push(events);
        self.raise_head(head);
        if let Some(next) = next_timer {
            self.tell_timer(next);
        }
        self.effects.send_modify(|groups| *groups += 1);
        self.foreign.send_modify(|looks| *looks += 1);
    }

    /// How many of the news after one and up to another are of this process.
    pub(crate) fn take_own(&self, after: i64, upto: i64) -> i64 {
        let Some(own) = &self.own else {
            return 0;
        };
        let mut own = own.lock();
        let later = own.split_off(&(upto + 1));
        let passed = std::mem::replace(&mut *own, later);
        i64::try_from(passed.into_iter().filter(|news| *news > after).count()).unwrap_or(i64::MAX)
    }

    /// Two who tell it may come in the wrong order.
    fn raise_head(&self, head: i64) {
        self.head.send_if_modified(|known| {
            let newer = head > *known;
            *known = head.max(*known);
            newer
        });
    }

    fn tell_timer(&self, due: Timestamp) {
        self.earliest_timer.send_if_modified(|known| {
            let earlier = due < *known;
            *known = due.min(*known);
            earlier
        });
    }
}
