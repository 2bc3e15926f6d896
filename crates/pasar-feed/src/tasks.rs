//! Tasks with an owner: everything that runs in the background ends when its owner drains.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, task::AbortHandle};

/// Spawns tasks and drains them. Cheap to clone; all clones are one owner.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    draining: watch::Sender<bool>,
    aborted: AtomicBool,
    running: watch::Sender<usize>,
    handles: Mutex<BTreeMap<u64, (&'static str, Option<AbortHandle>)>>,
}

impl Tasks {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a future until it ends, or until some time after the drain began. Who must end it earlier has a
    /// handle for that.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.handles.lock().insert(id, (name, None));
        self.0.running.send_modify(|running| *running += 1);
        let ended = Ended {
            tasks: self.clone(),
            id,
        };
        let handle = tokio::spawn(async move {
            let _ended = ended;
            task.await;
        });
        let handle = handle.abort_handle();
        if let Some(entry) = self.0.handles.lock().get_mut(&id) {
            entry.1 = Some(handle.clone());
        }
        // Looked at after the handle is known: either this or the abort ends it.
        if self.0.aborted.load(Ordering::SeqCst) {
            handle.abort();
        }
        handle
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Resolves once the drain has begun.
    pub async fn draining(&self) {
        let mut draining = self.0.draining.subscribe();
        // The sender lives as long as this clone of the owner.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Tells all tasks to end and waits for them; those that have not ended by then are aborted, and
    /// their names returned.
    pub async fn drain(&self, deadline: Duration) -> Vec<&'static str> {
        self.0.draining.send_replace(true);
        let mut running = self.0.running.subscribe();
        let quiet = running.wait_for(|running| *running == 0);
        let in_time = tokio::time::timeout(deadline, quiet).await.is_ok();
        if in_time {
            return Vec::new();
        }
        self.abort()
    }

    /// Ends all tasks where they stand, also those that are spawned from now on. Returns the names of those
    /// that ran.
    pub fn abort(&self) -> Vec<&'static str> {
        self.0.draining.send_replace(true);
        self.0.aborted.store(true, Ordering::SeqCst);
        let left: Vec<_> = self.0.handles.lock().values().cloned().collect();
        for handle in left.iter().filter_map(|(_, handle)| handle.as_ref()) {
            handle.abort();
        }
        left.into_iter().map(|(name, _)| name).collect()
    }
}

/// Takes a task off the list however it ends.
struct Ended {
    tasks: Tasks,
    id: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.tasks.0.handles.lock().remove(&self.id);
        self.tasks.0.running.send_modify(|running| *running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_end_when_their_owner_drains() {
        let tasks = Tasks::new();
        let inside = tasks.clone();
        tasks.spawn("polite", async move { inside.draining().await });
        assert_eq!(
            tasks.drain(Duration::from_secs(10)).await,
            Vec::<&str>::new()
        );
        assert!(tasks.is_draining());
    }

    #[tokio::test]
    async fn what_is_spawned_after_an_abort_does_not_go_on() {
        let tasks = Tasks::new();
        tasks.spawn("running", std::future::pending());
        assert_eq!(tasks.abort(), ["running"]);
        tasks.spawn("late", std::future::pending());
        assert_eq!(
            tasks.drain(Duration::from_secs(10)).await,
            Vec::<&str>::new()
        );
    }

    #[tokio::test]
    async fn a_task_that_was_ended_by_its_handle_is_not_waited_for() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", std::future::pending()).abort();
        let left = tasks.drain(Duration::from_secs(10)).await;
        assert_eq!(left, Vec::<&str>::new());
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_is_named_and_aborted() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", std::future::pending());
        assert_eq!(tasks.drain(Duration::from_millis(10)).await, ["stubborn"]);
    }
}
