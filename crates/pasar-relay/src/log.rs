//! The log as readers see it: the newest messages in memory, the others in the database.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;
use pasar_chassis::problem::Chain;
use pasar_feed::tasks::Tasks;
use pasar_store::{context::Announcement, fault::Fault, store::Store};
use tokio::sync::watch;

use crate::{message::Message, tables::messages};

/// Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    store: Store,
    recent: RwLock<Recent>,
    head: watch::Sender<i64>,
}

/// Always a contiguous end of the log.
#[derive(Default)]
struct Recent {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
}

const RECENT_MESSAGES: usize = 8_192;
const RECENT_BYTES: usize = 8 * 1024 * 1024;
const AFTER_FAULT: std::time::Duration = std::time::Duration::from_secs(1);

impl Log {
    /// Listens to the store from now on; a store has one log.
    pub fn open(store: Store) -> Result<Self, Fault> {
        let head = store.read_now(messages::ends)?.head;
        let log = Self(Arc::new(Inner {
            store,
            recent: RwLock::default(),
            head: watch::Sender::new(head),
        }));
        let listening = Arc::downgrade(&log.0);
        log.0.store.listen(move |announced| {
            if let Some(log) = listening.upgrade() {
                log.take(announced);
            }
        });
        Ok(log)
    }

    /// Hears what other instances append, until the owner drains: they announce nothing here, so the log is read.
    pub fn hear_others(&self, tasks: &Tasks) {
        if !self.0.store.is_shared() {
            return;
        }
        let mut commits = self.0.store.foreign_commits();
        let (log, draining) = (self.clone(), tasks.clone());
        tasks.spawn("log", async move {
            let hearing = async {
                while commits.changed().await.is_ok() {
                    if let Err(fault) = log.look() {
                        tracing::error!(fault = %Chain(&fault), "the end of the log cannot be read");
                        commits.mark_changed();
                        tokio::time::sleep(AFTER_FAULT).await;
                    }
                }
            };
            tokio::select! {
                () = hearing => {}
                () = draining.draining() => {}
            }
        });
    }

    /// The newest position as the database has it, where others append too.
    pub(crate) fn look(&self) -> Result<i64, Fault> {
        if self.0.store.is_shared() {
            let head = self.0.store.read_now(messages::ends)?.head;
            self.0.raise(head);
        }
        Ok(self.head())
    }

    /// The newest position that is committed.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.0.head.borrow()
    }

    /// Changes whenever messages are committed.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<i64> {
        self.0.head.subscribe()
    }

    /// Committed messages after a position, oldest first. Positions that are no longer kept are left out.
    pub fn after(&self, after: i64, limit: usize) -> Result<Vec<Arc<Message>>, Fault> {
        if after >= self.head() {
            return Ok(Vec::new());
        }
        match self.0.recent.read().after(after, limit) {
            Some(messages) => Ok(messages),
            None => self
                .0
                .store
                .read_now(|tx| messages::after(tx, after, limit)),
        }
    }

    /// The same from memory alone; `None` if the position lies before what is there.
    pub(crate) fn recent(&self, after: i64, limit: usize) -> Option<Vec<Arc<Message>>> {
        self.0.recent.read().after(after, limit)
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }
}

impl Inner {
    /// What a group appended, in the order of commits.
    fn take(&self, announced: Vec<Announcement>) {
        let messages = announced
            .into_iter()
            .filter_map(|announced| announced.downcast::<Message>().ok());
        let mut recent = self.recent.write();
        let mut newest = None;
        for message in messages {
            newest = Some(message.position);
            recent.push(message);
        }
        drop(recent);
        if let Some(newest) = newest {
            self.raise(newest);
        }
    }

    /// Two who tell it may come in the wrong order.
    fn raise(&self, head: i64) {
        self.head.send_if_modified(|known| {
            let newer = head > *known;
            *known = head.max(*known);
            newer
        });
    }
}

impl Recent {
    fn push(&mut self, message: Arc<Message>) {
        // Another writer of the same database was in between: what follows is not contiguous.
        if self
            .messages
            .back()
            .is_some_and(|last| last.position + 1 != message.position)
        {
            *self = Self::default();
        }
        self.bytes += message.size();
        self.messages.push_back(message);
        while self.messages.len() > RECENT_MESSAGES || self.bytes > RECENT_BYTES {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }

    /// `None` if the position does not lie within what is kept. Beyond it another instance may have gone on.
    fn after(&self, after: i64, limit: usize) -> Option<Vec<Arc<Message>>> {
        let first = self.messages.front()?.position;
        if after >= self.messages.back()?.position {
            return None;
        }
        // Negative, and so none, where the place lies before what is kept.
        let skip = usize::try_from(after + 1 - first).ok()?;
        let messages = self.messages.iter().skip(skip).take(limit);
        Some(messages.cloned().collect())
    }
}
