//! What a commit makes known to those who wait in the same process.

use std::sync::OnceLock;

use pasar_types::time::Timestamp;
use tokio::sync::watch;

use crate::{
    context::{Announcement, Pending},
    feed::Recent,
};

/// The newest places and dues of one store.
pub(crate) struct Published {
    pub(crate) head: watch::Sender<i64>,
    pub(crate) earliest_timer: watch::Sender<Timestamp>,
    pub(crate) effects: watch::Sender<u64>,
    pub(crate) recent: Recent,
    pub(crate) listener: OnceLock<Box<Listener>>,
}

/// Hears what a group announced, on its lane's thread: it must not block.
pub(crate) type Listener = dyn Fn(Vec<Announcement>) + Send + Sync;

impl Published {
    pub(crate) fn new(head: i64) -> Self {
        Self {
            head: watch::Sender::new(head),
            earliest_timer: watch::Sender::new(Timestamp::from_micros(i64::MAX)),
            effects: watch::Sender::new(0),
            recent: Recent::default(),
            listener: OnceLock::new(),
        }
    }

    /// Sets from when on a timer is news, without telling anybody.
    pub(crate) fn arm(&self, earliest: impl FnOnce(Timestamp) -> Timestamp) {
        self.earliest_timer.send_if_modified(|known| {
            *known = earliest(*known);
            false
        });
    }

    pub(crate) fn publish(&self, head: Option<i64>, pending: Pending) {
        if let Some(head) = head {
            self.recent.push(pending.events);
            self.head.send_replace(head);
        }
        if !pending.announced.is_empty()
            && let Some(listener) = self.listener.get()
        {
            listener(pending.announced);
        }
        if let Some(earliest) = pending.earliest_timer {
            self.earliest_timer.send_if_modified(|known| {
                let earlier = earliest < *known;
                *known = earliest.min(*known);
                earlier
            });
        }
        if pending.effects {
            self.effects.send_modify(|groups| *groups += 1);
        }
    }
}
