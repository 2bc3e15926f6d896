//! A trimmed feed: what is gone, what is left, and what whoever is new reads instead.

use std::time::Duration;

use pasar_contracts::event::Service;
use pasar_store::{
    clock::Clock as _,
    fault::Fault,
    follower::Position,
    lease::Lease,
    snapshot,
    store::{Executor, Store, StoreOptions},
    trimming::Trimmed,
};
use pasar_types::id::EpochId;

use crate::{
    bench_db::{Bench, open_shared, options, submit_in},
    fresh::Fresh,
};

const LEASE: Lease = Lease::sole("trimming");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const EPOCH: EpochId = EpochId::from_bytes([5; 16]);

/// A store whose feed needs the newest event of each key.
fn newest(bench: &Bench, seed: u64) -> Store {
    Store::open(StoreOptions {
        needed: snapshot::newest,
        ..options(&bench.fresh, Executor::Threads, &bench.clock, seed)
    })
    .unwrap()
}

/// Events of some keys in turn.
async fn publish(store: &Store, keys: &[&str], rounds: usize) {
    for _ in 0..rounds {
        for key in keys {
            submit_in(store, "lane", key, 1).await.unwrap();
        }
    }
}

/// Trims what is older than a day, to the end.
async fn trim(bench: &Bench, store: &Store) -> Vec<Trimmed> {
    let mut steps = Vec::new();
    loop {
        let step = store.trim(&LEASE, bench.clock.now() - DAY).await.unwrap();
        steps.push(step);
        if !step.more {
            return steps;
        }
    }
}

/// The places that a snapshot has, read in parts of so many.
async fn places(store: &Store, at: i64, limit: usize) -> Vec<i64> {
    let mut places = Vec::new();
    let mut after = 0;
    while after < at {
        let part = store.snapshot(at, after, limit).await.unwrap();
        assert!(part.upto > after && part.upto <= at, "{part:?}");
        places.extend(part.events.iter().map(|event| event.sequence));
        after = part.upto;
    }
    places
}

fn is_trimmed_at(answer: Result<impl std::fmt::Debug, Fault>, expected: i64) {
    let fault = answer.unwrap_err();
    assert!(
        matches!(fault, Fault::Trimmed { upto } if upto == expected),
        "{fault:?}"
    );
}

#[tokio::test]
async fn what_is_old_and_not_needed_goes_and_what_is_young_stays() {
    let bench = Bench::new(Executor::Threads);
    let store = newest(&bench, 2);
    publish(&store, &["a", "b"], 3).await;
    bench.clock.advance(DAY + DAY / 2);
    publish(&store, &["a"], 2).await;
    let [step] = trim(&bench, &store).await[..] else {
        panic!("one step is enough");
    };
    let expected = Trimmed {
        upto: 6,
        deleted: 4,
        more: false,
    };
    assert_eq!(step, expected);
    assert_eq!((store.trimmed(), store.head()), (6, 8));
    // The newest of each key as of the place, and all that is younger.
    assert_eq!(places(&store, 6, 100).await, [5, 6]);
    assert_eq!(places(&store, 8, 1).await, [6, 8]);
    let kept: Vec<_> = store.events_of("a", 0, 10).unwrap();
    assert_eq!(
        kept.iter().map(|e| e.sequence).collect::<Vec<_>>(),
        [5, 7, 8]
    );
    // Whoever opens it later finds it so.
    store.close();
    let again = newest(&bench, 3);
    assert_eq!((again.trimmed(), again.head()), (6, 8));
    is_trimmed_at(again.events_after(5, 10), 6);
    assert_eq!(again.events_after(6, 10).unwrap().len(), 2);
    publish(&again, &["b"], 1).await;
    assert_eq!(again.head(), 9);
}

#[tokio::test]
async fn a_feed_that_needs_every_event_loses_none() {
    let bench = Bench::new(Executor::Threads);
    publish(&bench.store, &["a", "b"], 3).await;
    bench.clock.advance(2 * DAY);
    let steps = trim(&bench, &bench.store).await;
    assert_eq!((steps.len(), steps[0].deleted), (1, 0));
    assert_eq!(places(&bench.store, 6, 4).await, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_long_feed_is_trimmed_in_steps_of_a_bounded_size() {
    let bench = Bench::new(Executor::Threads);
    let store = newest(&bench, 2);
    publish(&store, &["a", "b", "c"], 200).await;
    bench.clock.advance(2 * DAY);
    let steps = trim(&bench, &store).await;
    let ends: Vec<i64> = steps.iter().map(|step| step.upto).collect();
    assert_eq!(ends, [256, 512, 600]);
    assert!(steps.iter().all(|step| step.deleted <= 256), "{steps:?}");
    let deleted: usize = steps.iter().map(|step| step.deleted).sum();
    assert_eq!(deleted, 597);
    assert_eq!(places(&store, 600, 50).await, [598, 599, 600]);
}

/// Half of it is read before, half after the feed was trimmed up to right before its place.
#[tokio::test]
async fn a_snapshot_is_the_same_while_it_is_added_to_and_trimmed() {
    let bench = Bench::new(Executor::Threads);
    let store = newest(&bench, 2);
    publish(&store, &["once", "a"], 1).await;
    publish(&store, &["b", "c"], 10).await;
    let at = store.head();
    let whole = places(&store, at, 5).await;
    assert_eq!(whole, [1, 2, 21, 22]);
    let part = store.snapshot(at, 0, 5).await.unwrap();
    bench.clock.advance(2 * DAY);
    publish(&store, &["a", "b", "once"], 2).await;
    trim(&bench, &store).await;
    assert_eq!(store.trimmed(), at);
    let rest = store.snapshot(at, part.upto, 100).await.unwrap();
    let read: Vec<i64> = part
        .events
        .iter()
        .chain(&rest.events)
        .map(|event| event.sequence)
        .collect();
    assert_eq!((read, rest.upto), (whole, at));
    // What follows is there from the place on.
    assert_eq!(store.events_after(at, 100).unwrap().len(), 6);
    // Once that is trimmed too, it is not exact any more, and says so.
    bench.clock.advance(2 * DAY);
    trim(&bench, &store).await;
    is_trimmed_at(store.snapshot(at, part.upto, 100).await, at + 6);
}

#[tokio::test]
async fn what_a_follower_in_the_process_has_not_taken_stays() {
    let bench = Bench::new(Executor::Threads);
    let store = newest(&bench, 2);
    publish(&store, &["a"], 10).await;
    bench.clock.advance(2 * DAY);
    let follower = Bench::at(Fresh::new(), Executor::Threads);
    store.hold_for(&follower.store);
    let begun = follower
        .store
        .begin_following(Service::Orders, EPOCH, Some(4))
        .await
        .unwrap();
    // The snapshot counts from its begin: what it leaves out is not missed.
    assert_eq!((begun.positions[0].sequence, begun.snapshot), (0, 4));
    trim(&bench, &store).await;
    assert_eq!(store.trimmed(), 4);
    follower.store.close();
    // The database of a follower that ended cannot be asked: nothing is trimmed that it may need.
    drop(follower);
    trim(&bench, &store).await;
    assert_eq!(store.trimmed(), 10);
}

#[tokio::test]
async fn two_who_trim_the_same_do_it_once() {
    let bench = Bench::shared();
    let others = [open_shared(&bench, 2), open_shared(&bench, 3)];
    publish(&bench.store, &["a", "b"], 300).await;
    bench.clock.advance(2 * DAY);
    for store in &others {
        store.heads().wait_for(|head| *head == 600).await.unwrap();
    }
    let (one, two) = tokio::join!(trim(&bench, &others[0]), trim(&bench, &others[1]));
    let last = |steps: &[Trimmed]| steps.last().map(|step| step.upto);
    assert_eq!((last(&one), last(&two)), (Some(600), Some(600)));
    // Whoever has not trimmed hears of it,
    let mut looks = bench.store.foreign_commits();
    while bench.store.trimmed() < 600 {
        looks.changed().await.unwrap();
    }
    // or finds it when it is opened.
    let late = open_shared(&bench, 4);
    is_trimmed_at(late.events_after(1, 10), 600);
    is_trimmed_at(bench.store.snapshot(599, 0, 10).await, 600);
}

#[tokio::test]
async fn only_whoever_has_taken_nothing_begins_with_a_snapshot() {
    let bench = Bench::new(Executor::Threads);
    let store = &bench.store;
    let begin = |snapshot| store.begin_following(Service::Payments, EPOCH, snapshot);
    let at = |sequence| Position {
        epoch: EPOCH,
        sequence,
    };
    // It was there before the feed was trimmed, and has taken nothing.
    assert_eq!(begin(None).await.unwrap().snapshot, 0);
    let begun = begin(Some(9)).await.unwrap();
    assert_eq!((begun.positions[0], begun.snapshot), (at(0), 9));
    // Another start, at a later head, goes on with the one that was begun.
    assert_eq!(begin(Some(20)).await.unwrap().snapshot, 9);
    let followed = store.followed(Service::Payments).await.unwrap();
    assert!(followed.iter().all(|position| *position == at(9)));
    // A restore to before its place takes all of it back.
    store.reconcile(Service::Payments, at(6)).await.unwrap();
    let begun = begin(None).await.unwrap();
    assert_eq!((begun.positions[0], begun.snapshot), (at(0), 0));
    store.begin_anew(Service::Payments).await.unwrap();
    assert!(store.followed(Service::Payments).await.unwrap().is_empty());
    assert_eq!(begin(Some(30)).await.unwrap().snapshot, 30);
}

#[tokio::test]
async fn trimming_ends_with_its_lease() {
    let bench = Bench::shared();
    let store = &bench.store;
    publish(store, &["a"], 2).await;
    bench.clock.advance(2 * DAY);
    let lease = store.take_lease("trimming", "me", None).await.unwrap();
    let seen = store.lease("trimming").await.unwrap();
    store.take_lease("trimming", "you", seen).await.unwrap();
    let fault = store.trim(&lease.unwrap(), bench.clock.now()).await;
    assert!(matches!(fault, Err(Fault::LeaseLost(_))), "{fault:?}");
    assert_eq!(store.trimmed(), 0);
}
