//! Copies of databases of one moment. Only of files: a server's are copied by its own tools.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use pasar_contracts::event::Service;
use pasar_store::{
    backup::{BackupError, Moment, Source, examine, hold_still},
    clock::{Clock, SystemClock},
    ids::SystemIds,
    inspect::Inspector,
    store::{Migration, Store, StoreOptions},
};
use pasar_types::time::Timestamp;

use crate::bench_db::{MIGRATIONS, submit};

/// Two services, of which the second never does what the first has not done before.
struct Pair {
    folder: tempfile::TempDir,
    stores: [Store; 2],
}

const SERVICES: [Service; 2] = [Service::Orders, Service::Payments];
const MOMENTS: usize = 30;
const OTHERS: &[Migration] = &[Migration {
    name: "0001_others",
    sql: "SELECT 1",
}];

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
        self.hold_still_by(backwards, &SystemClock).unwrap()
    }

    fn hold_still_by(&self, backwards: bool, clock: &dyn Clock) -> Result<Moment, BackupError> {
        let paths = SERVICES.map(|service| file(self.folder.path(), service));
        let mut named: Vec<Source<'_>> = SERVICES
            .into_iter()
            .zip(&paths)
            .map(|(service, file)| Source {
                service,
                file,
                migrations: MIGRATIONS,
            })
            .collect();
        if backwards {
            named.reverse();
        }
        hold_still(&named, clock)
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
        while SystemClock.monotonic() < begun + Duration::from_millis(2_500) {
            submit(&pair.stores[0], "a", 1).wait().unwrap();
            taken += 1;
        }
        assert!(taken > 20, "the first database was locked all the time");
        held.execute_batch("ROLLBACK").unwrap();
        assert_eq!(holding.join().unwrap().stills.len(), 2);
    });
}

/// Seconds pass whenever somebody looks at it; it may do something at one of the looks.
struct Hurried<'a> {
    looks: AtomicI64,
    at_third: &'a (dyn Fn() + Sync),
}

impl Clock for Hurried<'_> {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        if looks == 3 {
            (self.at_third)();
        }
        Duration::from_secs(looks.unsigned_abs())
    }
}

/// What is complained of, if the second database is never to be had.
fn complaint_while_held(pair: &Pair, at_third: &(dyn Fn() + Sync)) -> String {
    let clock = Hurried {
        looks: AtomicI64::new(0),
        at_third,
    };
    let refused = pair.hold_still_by(false, &clock).err().unwrap();
    refused.to_string()
}

#[test]
fn a_database_that_somebody_else_keeps_locked_is_named() {
    let pair = Pair::new();
    let path = file(pair.folder.path(), SERVICES[1]);
    let held = Mutex::new(rusqlite::Connection::open(&path).unwrap());
    let do_ = |sql| held.lock().unwrap().execute_batch(sql).unwrap();
    do_("BEGIN IMMEDIATE");
    let complaint = complaint_while_held(&pair, &|| {});
    assert!(complaint.contains("nobody wrote to"), "{complaint}");
    assert!(complaint.contains(path.to_str().unwrap()), "{complaint}");
    // It is not kept, but written by many.
    let complaint = complaint_while_held(&pair, &|| {
        do_("DELETE FROM counter; CREATE TABLE more (a); COMMIT; BEGIN IMMEDIATE");
    });
    let expected = "that of payments is written all the time";
    assert!(complaint.contains(expected), "{complaint}");
    do_("COMMIT");
    assert_eq!(pair.hold_still(false).stills.len(), 2);
}

#[test]
fn a_database_under_the_name_of_another_is_not_copied() {
    let pair = Pair::new();
    pair.stores.iter().for_each(Store::close);
    let [orders, payments] = SERVICES.map(|service| file(pair.folder.path(), service));
    fs::copy(&payments, &orders).unwrap();
    let source = |service, migrations| {
        let file = orders.as_path();
        let named = [Source {
            service,
            file,
            migrations,
        }];
        hold_still(&named, &SystemClock).map(|moment| moment.stills.len())
    };
    // The steps are the same here, and it says itself whose it is.
    let refused = source(Service::Orders, MIGRATIONS).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("this is the database of payments"), "{why}");
    let refused = source(Service::Payments, OTHERS).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("this is the database of counter"), "{why}");
    assert_eq!(source(Service::Payments, MIGRATIONS).unwrap(), 1);
}
