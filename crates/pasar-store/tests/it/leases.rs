//! A lease is held by one, and what was written under a lost one does not stand. Commits of others are heard.

use pasar_store::{fault::Fault, lease::Lease, store::Executor};

use crate::bench_db::{Bench, count, open_shared, submit};

pub(crate) const NAME: &str = "work";

pub(crate) fn seen(store: &pasar_store::store::Store) -> Option<pasar_store::lease::Seen> {
    futures_block(store.lease(NAME)).unwrap()
}

/// Reads on the caller's thread need no runtime.
fn futures_block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

#[test]
fn of_many_who_try_at_once_one_has_it() {
    let bench = Bench::shared();
    let stores: Vec<_> = (2..6).map(|seed| open_shared(&bench, seed)).collect();
    let taken = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| scope.spawn(|| store.take_lease(NAME, "somebody", None).wait().unwrap()))
            .collect();
        let taken = threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap());
        taken.count()
    });
    assert_eq!(taken, 1);
}

#[test]
fn it_is_taken_from_whoever_did_not_move_it_and_from_nobody_else() {
    let bench = Bench::shared();
    let other = open_shared(&bench, 2);
    let lease = bench.store.take_lease(NAME, "first", None).wait().unwrap();
    let lease = lease.unwrap();
    let before = seen(&other);
    assert_eq!(before.as_ref().unwrap().holder, "first");
    assert!(bench.store.beat_lease(&lease).wait().unwrap());
    let late = other.take_lease(NAME, "second", before).wait().unwrap();
    assert_eq!(late, None);
    let mine = other
        .take_lease(NAME, "second", seen(&other))
        .wait()
        .unwrap();
    assert!(mine.is_some());
    assert!(!bench.store.beat_lease(&lease).wait().unwrap());
    bench.store.give_up_lease(&lease).wait().unwrap();
    assert!(
        !seen(&other).unwrap().is_free(),
        "only its holder gives it up"
    );
    other.give_up_lease(&mine.unwrap()).wait().unwrap();
    assert!(seen(&bench.store).unwrap().is_free());
}

#[test]
fn who_lost_it_writes_nothing() {
    let bench = Bench::shared();
    let other = open_shared(&bench, 2);
    let write = |lease: &Lease| {
        let lease = lease.clone();
        bench.store.write(
            pasar_store::lane::LaneKey::ZERO,
            pasar_store::lane::Class::Internal,
            crate::bench_db::cause(),
            move |context| {
                count(context, "a", 1)?;
                context.holding(&lease)
            },
        )
    };
    let lease = bench.store.take_lease(NAME, "first", None).wait().unwrap();
    let lease = lease.unwrap();
    write(&lease).wait().unwrap();
    let second = other
        .take_lease(NAME, "second", seen(&other))
        .wait()
        .unwrap();
    let fault = write(&lease).wait().unwrap_err();
    assert!(matches!(fault, Fault::LeaseLost(NAME)) && !fault.retry());
    other.give_up_lease(&second.unwrap()).wait().unwrap();
    assert!(write(&lease).wait().is_err(), "a term does not come back");
    assert_eq!(bench.counter("a"), 1);
    write(&Lease::sole(NAME)).wait().unwrap();
}

#[test]
fn a_commit_of_another_is_heard_and_ones_own_is_not_taken_for_it() {
    let bench = Bench::shared();
    let other = open_shared(&bench, 2);
    let (mut heads, mut foreign) = (bench.store.heads(), bench.store.foreign_commits());
    let (mut effects, mut timers) = (bench.store.effects_changed(), bench.store.timers_changed());
    bench.store.next_timer_due().unwrap();
    submit(&other, "a", 1).wait().unwrap();
    futures_block(async {
        heads.wait_for(|head| *head == 1).await.unwrap();
        foreign.changed().await.unwrap();
    });
    assert_eq!(bench.store.events_after(0, 10).unwrap().len(), 1);
    let queue = other.write(
        pasar_store::lane::LaneKey::ZERO,
        pasar_store::lane::Class::Internal,
        crate::bench_db::cause(),
        |context| {
            context.set_timer("kind", "key", context.now())?;
            context.enqueue_effect("queue", "kind", &1)
        },
    );
    effects.mark_unchanged();
    queue.wait().unwrap();
    futures_block(async {
        effects.changed().await.unwrap();
        timers.changed().await.unwrap();
        foreign.changed().await.unwrap();
    });
    // Its own commits are told without a look; a look may come before it knows that they are its own.
    let looks = *foreign.borrow_and_update();
    for _ in 0..50 {
        submit(&bench.store, "a", 1).wait().unwrap();
    }
    submit(&other, "b", 1).wait().unwrap();
    futures_block(async {
        foreign.wait_for(|now| *now > looks).await.unwrap();
        heads.wait_for(|head| *head == 52).await.unwrap();
    });
}

#[test]
fn where_a_database_is_not_shared_nobody_looks() {
    if !crate::fresh::Fresh::is_sqlite() {
        return;
    }
    let bench = Bench::new(Executor::Threads);
    submit(&bench.store, "a", 1).wait().unwrap();
    let news: i64 = bench
        .store
        .read_now(|tx| tx.query_one("SELECT news FROM feed_head", &[], |row| row.get(0)))
        .unwrap();
    assert_eq!((bench.store.is_shared(), news), (false, 1));
    assert!(!bench.store.foreign_commits().has_changed().unwrap());
}
