//! Things that are changed and end, and a follower that knows each as it is: it misses no version of any and takes
//! none twice, or else it parks it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pasar_contracts::event::{Event, Service};
use pasar_feed::{
    follow::Follow,
    follower::{Follower, Reactions, Route, follow},
    tasks::Tasks,
};
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    lane::{Class, LaneKey},
    snapshot,
    store::{Migration, Store},
};
use pasar_types::id::FlowId;
use serde::{Deserialize, Serialize};

use super::{database::Database, lab::PRIVATE};

pub(super) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_thing",
    sql: "CREATE TABLE thing (key TEXT PRIMARY KEY, version BIGINT NOT NULL, value BIGINT NOT NULL)",
}];

#[derive(Serialize, Deserialize)]
pub(super) struct Changed {
    by: i64,
}

impl Event for Changed {
    const TYPE: &'static str = "thing.changed.v1";
    const PUBLISHER: Service = Service::Orders;
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ended {}

impl Event for Ended {
    const TYPE: &'static str = "thing.ended.v1";
    const PUBLISHER: Service = Service::Orders;
}

/// A thing is needed whole until it ends.
pub(super) fn needed(needed: &mut Vec<Arc<FeedEvent>>, event: Arc<FeedEvent>) {
    if event.event_type == Ended::TYPE {
        needed.clear();
    } else {
        snapshot::every(needed, event);
    }
}

/// One change of each of these things.
pub(super) async fn change(store: &Store, keys: impl IntoIterator<Item = String>) {
    for keys in keys.into_iter().collect::<Vec<_>>().chunks(50) {
        let keys = keys.to_vec();
        write(store, move |context| {
            keys.iter().try_for_each(|key| {
                let version = next(context, key)?;
                context.emit_private(key, version, &Changed { by: version }, &PRIVATE)
            })
        })
        .await;
    }
}

pub(super) async fn end(store: &Store, keys: impl IntoIterator<Item = String>) {
    for keys in keys.into_iter().collect::<Vec<_>>().chunks(50) {
        let keys = keys.to_vec();
        write(store, move |context| {
            keys.iter().try_for_each(|key| {
                let version = next(context, key)?;
                context.emit_private(key, version, &Ended {}, &PRIVATE)
            })
        })
        .await;
    }
}

pub(super) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// The publisher's own rows: the version of each thing.
fn next(context: &Context<'_>, key: &str) -> Result<i64, Fault> {
    context.query_one(
        "INSERT INTO thing (key, version, value) VALUES (?1, 1, 0)
         ON CONFLICT (key) DO UPDATE SET version = thing.version + 1 RETURNING version",
        &[&key],
        |row| row.get(0),
    )
}

async fn write(
    store: &Store,
    command: impl FnMut(&mut Context<'_>) -> Result<(), Fault> + Send + 'static,
) {
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    let written = store.write(LaneKey::ZERO, Class::Internal, cause, command);
    written.await.unwrap();
}

/// What a follower knows, with a database that outlives its tasks.
pub(super) struct Knower {
    pub(super) store: Store,
    pub(super) tasks: Tasks,
    pub(super) taken: Arc<AtomicUsize>,
    database: Database,
}

impl Knower {
    pub(super) fn new() -> Self {
        let database = Database::new(Service::Inventory, MIGRATIONS, snapshot::every);
        Self {
            store: database.open(),
            tasks: Tasks::new(),
            taken: Arc::default(),
            database,
        }
    }

    pub(super) fn follow(&self, feed: Arc<dyn Follow>) -> Follower {
        follow(
            &self.tasks,
            Service::Orders,
            feed,
            self.store.clone(),
            Arc::new(Knowing(Arc::clone(&self.taken))),
        )
    }

    /// The database of a follower whose process has ended, in another one.
    pub(super) fn reopened(&self) -> Store {
        self.database.open()
    }

    pub(super) async fn stop(&mut self) {
        let left = self.tasks.drain(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
        self.tasks = Tasks::new();
    }

    /// What it knows of each thing that has not ended. It could take everything that it was given.
    #[track_caller]
    pub(super) fn known(&self) -> BTreeMap<String, (i64, i64)> {
        let (known, parked) = self
            .store
            .read_now(|tx| {
                let known = tx.query_all("SELECT key, version, value FROM thing", &[], |row| {
                    Ok((row.get::<String>(0)?, (row.get(1)?, row.get(2)?)))
                })?;
                let parked = tx.query_all("SELECT fault FROM parked LIMIT 5", &[], |row| {
                    row.get::<String>(0)
                })?;
                Ok((known, parked))
            })
            .unwrap();
        assert!(parked.is_empty(), "{parked:?}");
        known.into_iter().collect()
    }
}

struct Knowing(Arc<AtomicUsize>);

impl Reactions for Knowing {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn route(&self, event: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::One(LaneKey::of(event.key.as_bytes())))
    }

    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        self.0.fetch_add(1, Relaxed);
        assert_eq!(event.decode_private::<String>()?, PRIVATE);
        let known = context.query_opt(
            "SELECT version FROM thing WHERE key = ?1",
            &[&event.key],
            |row| row.get::<i64>(0),
        )?;
        let known = known.unwrap_or(0);
        if event.keyversion <= known {
            // It comes again.
            return Ok(());
        }
        if event.keyversion != known + 1 {
            let what = format!("{} comes after {known} of {}", event.keyversion, event.key);
            return Err(Fault::Bug(what));
        }
        if event.event_type == Ended::TYPE {
            context.execute("DELETE FROM thing WHERE key = ?1", &[&event.key])?;
            return Ok(());
        }
        let Changed { by } = event.decode()?;
        context.execute(
            "INSERT INTO thing (key, version, value) VALUES (?1, 1, ?2)
             ON CONFLICT (key) DO UPDATE SET version = thing.version + 1, value = thing.value + ?2",
            &[&event.key, &by],
        )?;
        Ok(())
    }
}
