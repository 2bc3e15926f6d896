//! Copies of databases of one moment. Only of files: a server's are copied by its own tools.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
};

use pasar_contracts::event::Service;
use pasar_store::{
    backup::{Moment, examine, hold_still},
    clock::{Clock as _, SystemClock},
    ids::SystemIds,
    inspect::Inspector,
    store::{Store, StoreOptions},
};

use crate::bench_db::{MIGRATIONS, submit};

/// Two services, of which the second never does what the first has not done before.
struct Pair {
    folder: tempfile::TempDir,
    stores: [Store; 2],
}

const SERVICES: [Service; 2] = [Service::Orders, Service::Payments];
const MOMENTS: usize = 30;

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = SERVICES.map(|service| {
            Store::open(StoreOptions::file(
                service,
                file(folder.path(), service),
                MIGRATIONS,
                Arc::new(SystemClock),
                Arc::new(SystemIds::default()),
            ))
            .unwrap()
        });
        Self { folder, stores }
    }

    /// In both orders, so that neither hides what the other shows.
    fn hold_still(&self, backwards: bool) -> Moment {
        let paths = SERVICES.map(|service| file(self.folder.path(), service));
        let mut named: Vec<(Service, &Path)> = SERVICES
            .into_iter()
            .zip(paths.iter().map(PathBuf::as_path))
            .collect();
        if backwards {
            named.reverse();
        }
        hold_still(&named, &SystemClock).unwrap()
    }

    fn write_in_turn(&self) {
        for store in &self.stores {
            submit(store, "a", 1).wait().unwrap();
        }
    }
}

fn file(folder: &Path, service: Service) -> PathBuf {
    folder.join(format!("{service}.db"))
}

/// An empty one, as a copy is written into.
fn empty(path: &Path) -> &Path {
    fs::write(path, "").unwrap();
    path
}

#[test]
fn databases_are_copied_as_they_were_at_one_moment_while_they_are_written() {
    let pair = Pair::new();
    let (stop, written) = (AtomicBool::new(false), AtomicI64::new(0));
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                pair.write_in_turn();
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut all = Vec::new();
        for number in 0..MOMENTS {
            let seen = written.load(Ordering::Relaxed);
            while written.load(Ordering::Relaxed) < seen + 3 {
                thread::yield_now();
            }
            let backwards = number % 2 == 1;
            let moment = pair.hold_still(backwards);
            let mut heads: Vec<_> = moment
                .stills
                .iter()
                .map(|still| still.stands().sequence)
                .collect();
            if backwards {
                heads.reverse();
            }
            all.push((heads[0], heads[1]));
        }
        stop.store(true, Ordering::Relaxed);
        all
    });
    for (first, second) in seen {
        let is_of_one_moment = (0..=1).contains(&(first - second));
        assert!(is_of_one_moment, "{first} and {second}");
    }
}

#[test]
fn a_copy_holds_what_was_there_and_nothing_that_came_later() {
    let pair = Pair::new();
    for _ in 0..50 {
        pair.write_in_turn();
    }
    let moment = pair.hold_still(false);
    pair.write_in_turn();
    for (still, service) in moment.stills.into_iter().zip(SERVICES) {
        let stands = still.stands();
        assert_eq!(stands.sequence, 50);
        let path = pair.folder.path().join(format!("{service}.copy"));
        let mut calls = 0;
        still.copy_to(empty(&path), |_| calls += 1).unwrap();
        assert!(calls > 0, "nobody heard of the progress");
        assert_eq!(examine(service, &path).unwrap(), stands);
        let copy = Inspector::open(service, path.as_path(), MIGRATIONS).unwrap();
        let value: i64 = copy
            .read(|tx| tx.query_one("SELECT value FROM counter", &[], |row| row.get(0)))
            .unwrap();
        assert_eq!(value, 50);
        // It is whole by itself.
        assert!(!path.with_extension("copy-wal").exists());
    }
    // And the lanes go on.
    pair.write_in_turn();
    assert_eq!(pair.stores[0].head(), 52);
}

#[test]
fn a_file_that_is_cut_off_is_no_copy() {
    let pair = Pair::new();
    for _ in 0..200 {
        pair.write_in_turn();
    }
    let still = pair.hold_still(false).stills.remove(0);
    let path = pair.folder.path().join("copy");
    still.copy_to(empty(&path), |_| {}).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(examine(Service::Orders, &path).is_err());
}

#[test]
fn a_database_of_an_earlier_version_is_copied_as_it_is_and_forked_in_this_one() {
    let pair = Pair::new();
    pair.write_in_turn();
    pair.stores.iter().for_each(Store::close);
    let earlier = rusqlite::Connection::open(file(pair.folder.path(), SERVICES[0])).unwrap();
    earlier
        .execute_batch(
            "DROP TABLE earlier_fork; DELETE FROM migration WHERE name = 'store/0003_forks'",
        )
        .unwrap();
    let still = pair.hold_still(false).stills.remove(0);
    let stands = still.stands();
    let path = pair.folder.path().join("copy");
    still.copy_to(empty(&path), |_| {}).unwrap();
    assert_eq!(examine(SERVICES[0], &path).unwrap(), stands);
    let lineage = Store::fork(&StoreOptions::file(
        SERVICES[0],
        path,
        MIGRATIONS,
        Arc::new(SystemClock),
        Arc::new(SystemIds::default()),
    ));
    assert_eq!(lineage.unwrap().forks, [stands]);
}

#[test]
fn databases_that_are_written_all_the_time_are_waited_for() {
    let pair = Pair::new();
    let held = rusqlite::Connection::open(file(pair.folder.path(), SERVICES[1])).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let begun = SystemClock.monotonic();
        let holding = scope.spawn(|| pair.hold_still(false));
        // The first is not held for as long as the second is waited for.
        let mut taken = 0;
        while SystemClock.monotonic() < begun + std::time::Duration::from_millis(2_500) {
            submit(&pair.stores[0], "a", 1).wait().unwrap();
            taken += 1;
        }
        assert!(taken > 20, "the first database was locked all the time");
        held.execute_batch("ROLLBACK").unwrap();
        assert_eq!(holding.join().unwrap().stills.len(), 2);
    });
}
