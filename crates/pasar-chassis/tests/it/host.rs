//! A host whose clock is moved by hand. (The testkit stands on the chassis, so it cannot be used here.)

use std::{future::Future, sync::Arc, time::Duration};

use pasar_chassis::{
    databases::Databases, health::Health, host::Host, keyring::Keyring, sleeper::ManualSleeper,
};
use pasar_contracts::event::Service;
use pasar_feed::tasks::Tasks;
use pasar_store::{
    cause::{Actor, Cause},
    clock::{Clock, ManualClock},
    context::Context,
    fault::Fault,
    ids::{Ids, SeededIds},
    lane::{Class, LaneKey},
    store::{Migration, Store},
};
use pasar_types::id::FlowId;
use tempfile::TempDir;

pub(crate) struct Machine {
    pub(crate) host: Host,
    pub(crate) sleeper: Arc<ManualSleeper>,
    _folder: Arc<TempDir>,
}

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_done",
    sql: "CREATE TABLE done (at INTEGER PRIMARY KEY, what TEXT NOT NULL)",
}];

impl Machine {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()), false, 1)
    }

    /// Several on the same data, each with a clock of its own: one whose clock stands still is as good as stopped.
    pub(crate) fn several<const N: usize>() -> [Self; N] {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        std::array::from_fn(|n| Self::on(Arc::clone(&folder), true, n as u64 + 1))
    }

    fn on(folder: Arc<TempDir>, shared: bool, seed: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let sleeper = Arc::new(ManualSleeper::new(Arc::clone(&clock)));
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(seed));
        let tasks = Tasks::new();
        let host = Host {
            clock: clock as Arc<dyn Clock>,
            keyring: Keyring::ephemeral(&*ids),
            ids,
            sleeper: Arc::clone(&sleeper) as _,
            health: Health::new(tasks.clone()),
            tasks,
            data: folder.path().to_owned(),
            shared,
            databases: Databases::default(),
            feed_keep: None,
            public_url: "http://pasar.test".to_owned(),
        };
        Self {
            host,
            sleeper,
            _folder: folder,
        }
    }

    pub(crate) fn store(&self) -> Store {
        self.host.open_store(Service::Orders, MIGRATIONS).unwrap()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.sleeper.advance(span);
    }

    /// Ends all tasks; what comes after runs in new ones, as after a restart.
    pub(crate) async fn restart(&mut self) {
        let left = self.host.tasks.drain(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
        self.host.tasks = Tasks::new();
    }
}

pub(crate) async fn write<T: Send + 'static>(
    store: &Store,
    command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> T {
    let flow = FlowId::from_uuid(store.ids().uuid_v7(store.clock().now()));
    let cause = Cause::new(Actor::Operator, flow);
    let answer = store.write(LaneKey::ZERO, Class::Internal, cause, command);
    answer.await.unwrap()
}

pub(crate) fn record(ctx: &Context<'_>, what: &str) -> Result<(), Fault> {
    ctx.execute("INSERT INTO done (what) VALUES (?1)", &[&what])?;
    Ok(())
}

/// What was recorded, in order, once there is so much of it.
pub(crate) async fn recorded(store: &Store, count: usize) -> Vec<String> {
    let read = || {
        store
            .read_now(|tx| tx.query_all("SELECT what FROM done ORDER BY at", &[], |row| row.get(0)))
            .unwrap()
    };
    soon(async {
        while read().len() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
    read()
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it happens soon")
}
