//! A small database that the tests write to, and the event they emit.

use std::sync::Arc;

use pasar_contracts::event::{Event, Service};
use pasar_store::{
    cause::{Actor, Cause},
    clock::ManualClock,
    context::Context,
    fault::Fault,
    ids::SeededIds,
    inspect::{InspectError, Inspector},
    lane::{Answer, Class, LaneKey},
    store::{Executor, Migration, Store, StoreOptions},
};
use pasar_types::id::FlowId;
use serde::{Deserialize, Serialize};

use crate::fresh::Fresh;

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_counter",
    sql: "CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL CHECK (value >= 0),
                                version BIGINT NOT NULL)",
}];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) value: i64,
}

impl Event for Counted {
    const TYPE: &'static str = "counter.counted.v1";
    const PUBLISHER: Service = Service::Orders;
}

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) fresh: Fresh,
}

impl Bench {
    pub(crate) fn new(executor: Executor) -> Self {
        Self::at(Fresh::new(), executor)
    }

    pub(crate) fn at(fresh: Fresh, executor: Executor) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = open(&fresh, executor, &clock, 1);
        Self {
            store,
            clock,
            fresh,
        }
    }

    /// A database that other processes may have open too.
    pub(crate) fn shared() -> Self {
        let fresh = Fresh::new();
        let clock = Arc::new(ManualClock::default());
        let store = Store::open(options_with(&fresh, Executor::Threads, &clock, 1, true)).unwrap();
        Self {
            store,
            clock,
            fresh,
        }
    }

    pub(crate) fn another(&self, executor: Executor, seed: u64) -> Store {
        open(&self.fresh, executor, &self.clock, seed)
    }

    pub(crate) fn counter(&self, name: &str) -> i64 {
        let name = name.to_owned();
        self.store
            .read_now(|tx| {
                tx.query_opt(
                    "SELECT value FROM counter WHERE name = ?1",
                    &[&name],
                    |row| row.get(0),
                )
            })
            .unwrap()
            .unwrap_or(0)
    }

    pub(crate) fn inspector(&self, migrations: &[Migration]) -> Result<Inspector, InspectError> {
        Inspector::open(Service::Orders, self.fresh.place.clone(), migrations)
    }

    pub(crate) fn feed(&self) -> Vec<(i64, String, i64)> {
        self.store
            .events_after(0, 100_000)
            .unwrap()
            .iter()
            .map(|event| (event.sequence, event.key.clone(), event.keyversion))
            .collect()
    }
}

/// Another process, as good as, on a database that is shared.
pub(crate) fn open_shared(bench: &Bench, seed: u64) -> Store {
    let options = options_with(&bench.fresh, Executor::Threads, &bench.clock, seed, true);
    Store::open(options).unwrap()
}

pub(crate) fn options(
    fresh: &Fresh,
    executor: Executor,
    clock: &Arc<ManualClock>,
    seed: u64,
) -> StoreOptions {
    let shared = fresh.place.file().is_none();
    options_with(fresh, executor, clock, seed, shared)
}

fn options_with(
    fresh: &Fresh,
    executor: Executor,
    clock: &Arc<ManualClock>,
    seed: u64,
    shared: bool,
) -> StoreOptions {
    let options = StoreOptions::at(
        Service::Orders,
        fresh.place.clone(),
        MIGRATIONS,
        Arc::clone(clock) as _,
        Arc::new(SeededIds::new(seed)),
    );
    StoreOptions {
        executor,
        shared,
        ..options
    }
}

pub(crate) fn open(
    fresh: &Fresh,
    executor: Executor,
    clock: &Arc<ManualClock>,
    seed: u64,
) -> Store {
    Store::open(options(fresh, executor, clock, seed)).unwrap()
}

pub(crate) fn cause() -> Cause {
    Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]))
}

/// Adds to a counter and emits the new value.
pub(crate) fn count(context: &mut Context<'_>, name: &str, by: i64) -> Result<i64, Fault> {
    let (value, version) = context.query_one(
        "INSERT INTO counter (name, value, version) VALUES (?1, ?2, 1)
         ON CONFLICT (name) DO UPDATE
         SET value = counter.value + ?2, version = counter.version + 1
         RETURNING value, version",
        &[&name, &by],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
    )?;
    context.emit(name, version, &Counted { value })?;
    Ok(value)
}

pub(crate) fn submit(store: &Store, name: &'static str, by: i64) -> Answer<i64> {
    store.write(LaneKey::ZERO, Class::Internal, cause(), move |context| {
        count(context, name, by)
    })
}

/// The same in a lane of its own.
pub(crate) fn submit_in(store: &Store, lane: &str, name: &str, by: i64) -> Answer<i64> {
    let (lane, name) = (LaneKey::of(lane.as_bytes()), name.to_owned());
    store.write(lane, Class::Internal, cause(), move |context| {
        count(context, &name, by)
    })
}
