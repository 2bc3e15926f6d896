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
