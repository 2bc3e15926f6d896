//! Looks for what other processes committed to the same database, and tells it like a commit of one's own.
//!
//! It asks a counter that every such group moves. (A notification of the database would make its commits queue
//! behind each other.) Where a database belongs to one process there is no watcher.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use parking_lot::{Condvar, Mutex};
use pasar_contracts::event::Service;

use crate::{
    fault::Fault,
    feed::{self, Ends, FeedEvent},
    published::Published,
    readers::Readers,
    timer,
    tx::Tx,
};

/// How late another process's commit is heard of.
const EVERY: Duration = Duration::from_millis(20);

/// Events that are fetched at once for all who follow in this process; those of more are read by each.
const MOST_FETCHED: i64 = 1_000;

/// Looks until it is dropped.
pub(crate) struct Watcher {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct End {
    ended: Mutex<bool>,
    told: Condvar,
}

struct Looking {
    service: Service,
    readers: Arc<Readers>,
    published: Arc<Published>,
    seen: Ends,
}

impl Watcher {
    /// `seen` is what the store has told already.
    pub(crate) fn spawn(
        service: Service,
        readers: Arc<Readers>,
        published: Arc<Published>,
        seen: Ends,
    ) -> Result<Self, Fault> {
        let end = Arc::new(End::default());
        let mut looking = Looking {
            service,
            readers,
            published,
            seen,
        };
        let told = Arc::clone(&end);
        let thread = std::thread::Builder::new()
            .name(format!("{service}-watcher"))
            .spawn(move || looking.run(&told))
            .map_err(|error| Fault::Bug(format!("no thread for a watcher: {error}")))?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        *self.end.ended.lock() = true;
        self.end.told.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Looking {
    fn run(&mut self, end: &End) {
        let mut failing = false;
        loop {
            let mut ended = end.ended.lock();
            if !*ended {
                end.told.wait_for(&mut ended, EVERY);
            }
            if *ended {
                return;
            }
            drop(ended);
            match self.look() {
                Ok(()) => failing = false,
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(service = %self.service, error = %fault,
                            "what other processes commit cannot be seen");
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), Fault> {
        let service = self.service;
        let now = self
            .readers
            .with(|connection| feed::ends(&Tx::new(connection, service)))?;
        if now.news == self.seen.news {
            return Ok(());
        }
        // Own groups that are not told yet are taken for foreign, which costs a look in vain.
        let own = self.published.take_own(self.seen.news, now.news);
        if now.news - self.seen.news != own {
            let kept = self.published.recent.last().unwrap_or(self.seen.head);
            let (trimmed, next_timer, events) = self.readers.snapshot(service, |tx| {
                let trimmed = feed::trimmed(tx)?;
                let events = match kept < trimmed {
                    // What there is has gaps.
                    true => Vec::new(),
                    false => fetch(tx, kept, now.head)?,
                };
                Ok((trimmed, timer::next_due(tx)?, events))
            })?;
            self.published.raise_trimmed(trimmed);
            self.published.publish_foreign(now.head, events, next_timer);
        }
        self.seen = now;
        Ok(())
    }
}

fn fetch(tx: &Tx<'_>, after: i64, head: i64) -> Result<Vec<FeedEvent>, Fault> {
    if !(1..=MOST_FETCHED).contains(&(head - after)) {
        return Ok(Vec::new());
    }
    let limit = usize::try_from(MOST_FETCHED).unwrap_or(usize::MAX);
    let events = feed::after(tx, after, limit)?;
    Ok(events.into_iter().map(Arc::unwrap_or_clone).collect())
}
