//! Looking into a database beside the process that writes it.

use pasar_contracts::event::Service;
use pasar_store::{
    fault::Fault,
    inspect::Inspector,
    store::{Executor, Migration},
};

use crate::bench_db::{Bench, MIGRATIONS, submit};

const NEWER: &[Migration] = &[
    MIGRATIONS[0],
    Migration {
        name: "0002_newer",
        sql: "SELECT 1",
    },
];

#[test]
fn what_a_running_store_committed_is_seen_and_cannot_be_changed() {
    let bench = Bench::new(Executor::Threads);
    submit(&bench.store, "a", 2).wait().unwrap();
    let inspector = bench.inspector(MIGRATIONS).unwrap();
    let value = inspector
        .read(|tx| tx.query_one("SELECT value FROM counter", &[], |row| row.get::<i64>(0)))
        .unwrap();
    assert_eq!(value, 2);
    let written = inspector.read(|tx| tx.execute("DELETE FROM counter", &[]));
    assert!(matches!(written, Err(Fault::Database(_))), "{written:?}");
    assert_eq!(inspector.service(), Service::Orders);
}

#[test]
fn a_closed_store_can_be_looked_into() {
    let bench = Bench::new(Executor::Threads);
    submit(&bench.store, "a", 2).wait().unwrap();
    bench.store.close();
    bench.inspector(MIGRATIONS).unwrap();
}

#[test]
fn a_database_of_another_version_or_none_at_all_is_refused_with_advice() {
    let bench = Bench::new(Executor::Threads);
    let older = bench.inspector(NEWER).err().unwrap();
    assert!(chain(&older).contains("lacks step 0002_newer"), "{older:?}");
    let newer = bench.inspector(&[]).err().unwrap();
    assert!(chain(&newer).contains("0001_counter"), "{newer:?}");
    let none = bench.fresh.folder.path().join("none.db");
    let none = Inspector::open(Service::Orders, none, &[]);
    assert!(chain(&none.err().unwrap()).contains("data folder exists"));
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain).unwrap_or_default();
    format!("{error}: {source}")
}
