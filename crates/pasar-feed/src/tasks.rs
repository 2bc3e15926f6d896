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
use tokio::{
    sync::{oneshot, watch},
    task::AbortHandle,
};

/// Spawns tasks and drains them. Cheap to clone; all clones are one owner.
#[derive(Clone, Default)]
pub struct Tasks {
    owner: Arc<Inner>,
    scope: Option<Arc<Scope>>,
}

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    draining: watch::Sender<bool>,
    running: watch::Sender<usize>,
    handles: Mutex<BTreeMap<u64, (&'static str, Option<AbortHandle>)>>,
    alarms: watch::Sender<BTreeMap<String, String>>,
}

/// By which a task says that it cannot go on until a person does something. Readiness tells of it.
pub struct Alarm {
    tasks: Tasks,
    name: String,
}

/// Some of an owner's tasks, which may have to end before the others.
#[derive(Default)]
struct Scope {
    ended: AtomicBool,
    draining: watch::Sender<bool>,
    running: watch::Sender<usize>,
    handles: Mutex<BTreeMap<u64, AbortHandle>>,
}

impl Tasks {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same owner; what is spawned through this can be ended before the rest.
    #[must_use]
    pub fn scoped(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            scope: Some(Arc::default()),
        }
    }

    /// Runs a future until it ends, or until some time after the drain began. Who must end it earlier has a
    /// handle for that.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        let id = self.owner.next.fetch_add(1, Ordering::Relaxed);
        self.owner.handles.lock().insert(id, (name, None));
        self.owner.running.send_modify(|running| *running += 1);
        if let Some(scope) = &self.scope {
            scope.running.send_modify(|running| *running += 1);
        }
        let ended = Ended {
            tasks: self.clone(),
            id,
        };
        let (begin, begun) = oneshot::channel();
        let handle = tokio::spawn(async move {
            let _ended = ended;
            // Its handle is known before it may end.
            if begun.await.is_ok() {
                task.await;
            }
        });
        let handle = handle.abort_handle();
        if let Some(entry) = self.owner.handles.lock().get_mut(&id) {
            entry.1 = Some(handle.clone());
        }
        if let Some(scope) = &self.scope {
            scope.handles.lock().insert(id, handle.clone());
            // Looked at after the handle is known: either this or the end of the scope ends it.
            if scope.ended.load(Ordering::SeqCst) {
                handle.abort();
                return handle;
            }
        }
        let _ = begin.send(());
        handle
    }

    /// A named alarm, not raised.
    #[must_use]
    pub fn alarm(&self, name: String) -> Alarm {
        Alarm {
            tasks: self.clone(),
            name,
        }
    }

    /// The alarms that are raised: name and what to do.
    #[must_use]
    pub fn alarms(&self) -> Vec<(String, String)> {
        let alarms = self.owner.alarms.borrow();
        alarms
            .iter()
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect()
    }

    /// Tells when an alarm is raised or cleared.
    #[must_use]
    pub fn alarms_changed(&self) -> watch::Receiver<BTreeMap<String, String>> {
        self.owner.alarms.subscribe()
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        let of_scope = self.scope.as_ref().map(|scope| &scope.draining);
        *self.owner.draining.borrow() || of_scope.is_some_and(|draining| *draining.borrow())
    }

    /// Resolves once the drain has begun, of all or of this scope.
    pub async fn draining(&self) {
        // The senders live as long as this clone.
        match &self.scope {
            None => begun(&self.owner.draining).await,
            Some(scope) => {
                tokio::select! {
                    () = begun(&self.owner.draining) => {}
                    () = begun(&scope.draining) => {}
                }
            }
        }
    }

    /// Tells all tasks to end and waits for them; those that have not ended by then are aborted, and
    /// their names returned.
    pub async fn drain(&self, deadline: Duration) -> Vec<&'static str> {
        self.owner.draining.send_replace(true);
        let mut running = self.owner.running.subscribe();
        let quiet = running.wait_for(|running| *running == 0);
        let in_time = tokio::time::timeout(deadline, quiet).await.is_ok();
        if in_time {
            return Vec::new();
        }
        let left: Vec<_> = self.owner.handles.lock().values().cloned().collect();
        for handle in left.iter().filter_map(|(_, handle)| handle.as_ref()) {
            handle.abort();
        }
        left.into_iter().map(|(name, _)| name).collect()
    }

    /// Ends the tasks of this scope where they stand, also those that are spawned from now on.
    ///
    /// # Panics
    /// If it is no scope.
    pub fn end_scope(&self) {
        let scope = self.scope.as_ref().expect("only a scope is ended");
        scope.ended.store(true, Ordering::SeqCst);
        for handle in scope.handles.lock().values() {
            handle.abort();
        }
    }

    /// Tells the tasks of this scope to end, as a drain does, and waits for them.
    ///
    /// # Panics
    /// If it is no scope.
    pub async fn drain_scope(&self) {
        let scope = self.scope.as_ref().expect("only a scope is drained");
        scope.draining.send_replace(true);
        self.scope_idle().await;
    }

    /// Resolves once no task of this scope runs.
    ///
    /// # Panics
    /// If it is no scope.
    pub async fn scope_idle(&self) {
        let scope = self.scope.as_ref().expect("only a scope is waited for");
        let mut running = scope.running.subscribe();
        // The sender lives as long as this clone of the scope.
        let _ = running.wait_for(|running| *running == 0).await;
    }
}

impl Alarm {
    /// Raises it, saying what to do.
    pub fn raise(&self, text: String) {
        self.tasks.owner.alarms.send_modify(|alarms| {
            alarms.insert(self.name.clone(), text);
        });
    }

    pub fn clear(&self) {
        self.tasks
            .owner
            .alarms
            .send_if_modified(|alarms| alarms.remove(&self.name).is_some());
    }
}

async fn begun(draining: &watch::Sender<bool>) {
    let mut draining = draining.subscribe();
    let _ = draining.wait_for(|draining| *draining).await;
}

/// Takes a task off the list however it ends.
struct Ended {
    tasks: Tasks,
    id: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let owner = &self.tasks.owner;
        owner.handles.lock().remove(&self.id);
        if let Some(scope) = &self.tasks.scope {
            scope.handles.lock().remove(&self.id);
            scope.running.send_modify(|running| *running -= 1);
        }
        owner.running.send_modify(|running| *running -= 1);
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
    async fn a_scope_ends_without_the_others_and_begins_nothing_more() {
        let tasks = Tasks::new();
        let scope = tasks.scoped();
        tasks.spawn("other", std::future::pending());
        scope.spawn("inside", std::future::pending());
        scope.end_scope();
        scope.spawn("late", std::future::pending());
        scope.scope_idle().await;
        assert_eq!(tasks.drain(Duration::from_millis(10)).await, ["other"]);
    }

    #[tokio::test]
    async fn a_scope_drains_without_the_others() {
        let tasks = Tasks::new();
        let (scope, other) = (tasks.scoped(), tasks.scoped());
        let inside = scope.clone();
        scope.spawn("inside", async move { inside.draining().await });
        scope.drain_scope().await;
        assert!(scope.is_draining());
        assert!(!tasks.is_draining() && !other.is_draining());
        tasks.drain(Duration::ZERO).await;
        other.draining().await;
        assert!(other.is_draining());
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
