//! Looking into a database beside the process that writes it.

use std::fs;

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

/// Whoever copies the file of a process that ended in order has everything.
#[test]
fn a_closed_database_is_whole_without_the_log_beside_it() {
    let bench = Bench::new(Executor::Threads);
    let Some(file) = bench.fresh.place.file() else {
        return;
    };
    submit(&bench.store, "a", 2).wait().unwrap();
    // A connection for reading stays open, as in every process.
    assert_eq!(bench.counter("a"), 2);
    bench.store.close();
    let copy = bench.fresh.folder.path().join("copy.db");
    fs::copy(file, &copy).unwrap();
    let copy = Inspector::open(Service::Orders, copy, MIGRATIONS).unwrap();
    let value: i64 = copy
        .read(|tx| tx.query_one("SELECT value FROM counter", &[], |row| row.get(0)))
        .unwrap();
    assert_eq!(value, 2);
}

#[test]
fn a_file_that_is_empty_or_of_somebody_else_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str| {
        let file = folder.path().join(name);
        chain(
            &Inspector::open(Service::Orders, file, MIGRATIONS)
                .err()
                .unwrap(),
        )
    };
    fs::write(folder.path().join("empty.db"), "").unwrap();
    assert!(refused("empty.db").contains("the file is empty"));
    let foreign = rusqlite::Connection::open(folder.path().join("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE t (a)").unwrap();
    let why = refused("foreign.db");
    assert!(
        why.contains("is not a database of Pasar") && why.contains("\"t\""),
        "{why}"
    );
    fs::write(folder.path().join("text.db"), "no database".repeat(100)).unwrap();
    assert!(refused("text.db").contains("not a readable database"));
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(chain).unwrap_or_default();
    format!("{error}: {source}")
}
