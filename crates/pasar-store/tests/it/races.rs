//! Two stores on one database, and many callers at once.

use pasar_store::store::Executor;

use crate::bench_db::{Bench, submit};

#[test]
fn two_stores_on_one_database_lose_nothing_and_leave_no_gap() {
    const EACH: i64 = 300;
    let bench = Bench::new(Executor::Threads);
    let other = bench.another(Executor::Threads, 2);
    std::thread::scope(|scope| {
        for store in [&bench.store, &other] {
            for _ in 0..4 {
                scope.spawn(move || {
                    for _ in 0..EACH / 4 {
                        submit(store, "a", 1).wait().unwrap();
                    }
                });
            }
        }
    });
    assert_eq!(bench.counter("a"), 2 * EACH);
    let fresh = bench.another(Executor::Inline, 3);
    let events = fresh.events_after(0, 10_000).unwrap();
    let places: Vec<_> = events
        .iter()
        .map(|event| (event.sequence, event.keyversion))
        .collect();
    let expected: Vec<_> = (1..=2 * EACH).map(|place| (place, place)).collect();
    assert_eq!(places, expected);
    for store in [&bench.store, &other] {
        let mut read = Vec::new();
        while let Some(last) = {
            let after = read.last().copied().unwrap_or(0);
            let stretch = store.events_after(after, 64).unwrap();
            read.extend(stretch.iter().map(|event| event.sequence));
            stretch.last().map(|event| event.sequence)
        } {
            assert_eq!(
                read.len(),
                usize::try_from(last).unwrap(),
                "no gap for a reader"
            );
        }
    }
}

#[test]
fn callers_from_many_threads_share_groups_and_all_are_answered() {
    let bench = Bench::new(Executor::Threads);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    submit(&bench.store, "a", 1).wait().unwrap();
                }
            });
        }
    });
    assert_eq!(bench.counter("a"), 800);
    assert_eq!(bench.feed().len(), 800);
}

#[test]
fn the_write_ahead_log_stays_bounded_under_writes_without_a_pause() {
    const BOUND: u64 = 256 * 1024 * 1024;
    if !crate::fresh::Fresh::is_sqlite() {
        return;
    }
    let bench = Bench::new(Executor::Threads);
    let mut largest = 0;
    for round in 0..60 {
        let answers: Vec<_> = (0..1_000)
            .map(|at| {
                let name = format!("{round}-{at}-{}", "x".repeat(900));
                bench.store.write(
                    pasar_store::lane::LaneKey::ZERO,
                    pasar_store::lane::Class::Internal,
                    crate::bench_db::cause(),
                    move |context| crate::bench_db::count(context, &name, 1),
                )
            })
            .collect();
        for answer in answers {
            answer.wait().unwrap();
        }
        let log = bench.fresh.folder.path().join("orders.db-wal");
        largest = largest.max(std::fs::metadata(log).map_or(0, |metadata| metadata.len()));
    }
    assert!(
        largest > 16 * 1024 * 1024,
        "the log was never large: {largest}"
    );
    assert!(largest < BOUND, "{largest}");
}
