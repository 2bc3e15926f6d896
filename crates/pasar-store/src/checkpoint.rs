//! Moving what is committed from the write-ahead log to the database, without holding up commits.
//!
//! A thread of its own copies and syncs the bulk while the lane goes on; the lane then copies the small
//! rest between two groups, after which the log begins anew. SQLite would do all of it inside a commit.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread::JoinHandle,
};

use parking_lot::{Condvar, Mutex};
use pasar_contracts::event::Service;

use crate::{
    engine::{Access, Connection},
    fault::Fault,
};

/// Pages (of 4 KiB) in the log before it is moved.
const MOVED_FROM: i64 = 4_000;
/// The lane moves everything itself beyond so many: the thread does not keep up, or is not there.
const TOO_MANY: i64 = 32_000;

/// The lane's side.
pub(crate) struct Checkpointer {
    stage: Arc<Stage>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stage {
    at: AtomicU8,
    asked: Mutex<Asked>,
    news: Condvar,
}

#[derive(Default)]
struct Asked {
    copy: bool,
    end: bool,
}

const IDLE: u8 = 0;
const COPYING: u8 = 1;
const COPIED: u8 = 2;

impl Checkpointer {
    /// Without a thread the lane moves everything itself.
    pub(crate) fn inline() -> Self {
        Self {
            stage: Arc::default(),
            thread: None,
        }
    }

    pub(crate) fn spawn(service: Service, path: &Path) -> Result<Self, Fault> {
        let connection = Connection::open(&path.into(), Access::Write)?;
        let stage = Arc::new(Stage::default());
        let copying = Arc::clone(&stage);
        let thread = std::thread::Builder::new()
            .name(format!("{service}-wal"))
            .spawn(move || copying.run(service, &connection))
            .map_err(|error| Fault::Bug(format!("no thread for checkpoints: {error}")))?;
        Ok(Self {
            stage,
            thread: Some(thread),
        })
    }

    /// To be called between groups.
    pub(crate) fn step(&self, service: Service, writer: &Connection) {
        let Some(pages) = writer.wal_pages() else {
            return;
        };
        let stage = self.stage.at.load(Ordering::Acquire);
        if stage == COPIED || pages > TOO_MANY || (self.thread.is_none() && pages > MOVED_FROM) {
            if let Err(fault) = writer.checkpoint() {
                tracing::warn!(%service, error = %fault, "checkpoint failed, it is tried again");
            }
            let _ =
                self.stage
                    .at
                    .compare_exchange(COPIED, IDLE, Ordering::AcqRel, Ordering::Relaxed);
        } else if stage == IDLE && pages > MOVED_FROM {
            metrics::gauge!("pasar_store_wal_pages", "service" => service.as_str())
                .set(f64::from(i32::try_from(pages).unwrap_or(i32::MAX)));
            self.stage.at.store(COPYING, Ordering::Release);
            self.stage.asked.lock().copy = true;
            self.stage.news.notify_one();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stage.asked.lock().end = true;
        self.stage.news.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a checkpoint thread ended by a panic");
        }
    }
}

impl Stage {
    fn run(&self, service: Service, connection: &Connection) {
        while self.asked_to_copy() {
            if let Err(fault) = connection.checkpoint() {
                tracing::warn!(%service, error = %fault, "checkpoint failed, it is tried again");
            }
            self.at.store(COPIED, Ordering::Release);
        }
    }

    /// Waits; false once it is to end.
    fn asked_to_copy(&self) -> bool {
        let mut asked = self.asked.lock();
        loop {
            if asked.end {
                return false;
            }
            if std::mem::take(&mut asked.copy) {
                return true;
            }
            self.news.wait(&mut asked);
        }
    }
}
