//! Epochs: what a restored database begins, and what that means for whoever followed it.

use pasar_contracts::event::Service;
use pasar_store::{
    follower::Position,
    lane::{Class, LaneKey},
    lineage::Lineage,
    store::{Executor, Store, StoreOptions},
};
use pasar_types::id::EpochId;

use crate::bench_db::{Bench, cause, open, options, submit};

/// The database of the bench while no store has it open.
fn fork(bench: &Bench, seed: u64) -> Lineage {
    Store::fork(&options(&bench.fresh, Executor::Inline, &bench.clock, seed)).unwrap()
}

fn publish(store: &Store, count: usize) {
    for _ in 0..count {
        let answer = submit(store, "a", 1);
        store.run_group(1);
        answer.wait().unwrap();
    }
}

fn at(epoch: EpochId, sequence: i64) -> Position {
    Position { epoch, sequence }
}

#[test]
fn a_fork_begins_an_epoch_after_what_there_was() {
    let bench = Bench::new(Executor::Inline);
    publish(&bench.store, 3);
    let before = bench.store.epoch();
    bench.store.close();
    let lineage = fork(&bench, 7);
    assert_ne!(lineage.epoch, before);
    assert_eq!(lineage.forks, [at(before, 3)]);
    let store = open(&bench.fresh, Executor::Inline, &bench.clock, 8);
    assert_eq!((store.epoch(), store.head()), (lineage.epoch, 3));
    publish(&store, 1);
    assert_eq!(store.head(), 4);
    assert!(lineage.holds(at(before, 3)) && lineage.holds(at(lineage.epoch, 4)));
    assert!(
        !lineage.holds(at(before, 4)),
        "nothing shares what came later"
    );
    let unknown = EpochId::from_bytes([9; 16]);
    assert!(!lineage.holds(at(unknown, 1)));
    assert_eq!(lineage.shared_with(at(before, 9)), 3);
    assert_eq!(lineage.shared_with(at(unknown, 9)), 0);
}

#[test]
fn a_follower_that_missed_several_forks_goes_on_if_it_is_before_the_first() {
    let bench = Bench::new(Executor::Inline);
    publish(&bench.store, 2);
    let first = bench.store.epoch();
    bench.store.close();
    let second = fork(&bench, 7).epoch;
    // Marked twice, as somebody who repeats a command does.
    let third = fork(&bench, 8).epoch;
    let store = open(&bench.fresh, Executor::Inline, &bench.clock, 9);
    publish(&store, 3);
    store.close();
    let lineage = fork(&bench, 10);
    assert_eq!(lineage.forks, [at(third, 5), at(second, 2), at(first, 2)]);
    for (followed, holds) in [
        (at(first, 2), true),
        (at(first, 3), false),
        (at(second, 2), true),
        (at(second, 3), false),
        (at(third, 5), true),
        (at(third, 6), false),
    ] {
        assert_eq!(lineage.holds(followed), holds, "{followed:?}");
    }
}

#[test]
fn so_many_forks_are_remembered() {
    let bench = Bench::new(Executor::Inline);
    bench.store.close();
    let mut lineage = fork(&bench, 100);
    for seed in 101..140 {
        let before = lineage.epoch;
        lineage = fork(&bench, seed);
        assert_eq!(lineage.forks[0].epoch, before);
    }
    assert_eq!(lineage.forks.len(), 33);
}

#[test]
fn a_database_of_another_service_is_left_as_it_is() {
    let bench = Bench::new(Executor::Inline);
    publish(&bench.store, 1);
    let epoch = bench.store.epoch();
    bench.store.close();
    let options = StoreOptions {
        service: Service::Payments,
        ..options(&bench.fresh, Executor::Inline, &bench.clock, 7)
    };
    let error = Store::fork(&options).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("belongs to orders"), "{cause}");
    let store = open(&bench.fresh, Executor::Inline, &bench.clock, 8);
    assert_eq!(store.epoch(), epoch);
}

/// Lanes of a follower, as they may stand after a crash.
async fn follow(bench: &Bench, positions: &'static [i64], epoch: EpochId) {
    let answer = bench
        .store
        .write(LaneKey::ZERO, Class::Internal, cause(), move |context| {
            for (lane, sequence) in (0..).zip(positions) {
                let lane: i64 = lane;
                context.execute(
                    "INSERT INTO follower_position (publisher, lane, epoch, sequence)
                     VALUES ('payments', ?1, ?2, ?3)",
                    &[&lane, &epoch, sequence],
                )?;
            }
            Ok(())
        });
    answer.await.unwrap();
}

#[tokio::test]
async fn reconciling_takes_lanes_back_and_none_forward() {
    let bench = Bench::new(Executor::Threads);
    let (old, new) = (EpochId::from_bytes([1; 16]), EpochId::from_bytes([2; 16]));
    follow(&bench, &[3, 10], old).await;
    let store = &bench.store;
    store
        .reconcile(Service::Payments, at(new, 6))
        .await
        .unwrap();
    let followed = store.followed(Service::Payments).await.unwrap();
    // What the first lane had not taken it still takes.
    assert_eq!(followed, [at(new, 3), at(new, 6)]);
}

#[tokio::test]
async fn all_lanes_go_over_to_an_epoch_or_none() {
    let bench = Bench::new(Executor::Threads);
    let (old, new) = (EpochId::from_bytes([1; 16]), EpochId::from_bytes([2; 16]));
    follow(&bench, &[3, 10], old).await;
    let forked_at = |sequence| Lineage {
        epoch: new,
        forks: vec![at(old, sequence)],
    };
    let store = &bench.store;
    assert!(!store.adopt(Service::Payments, forked_at(9)).await.unwrap());
    let followed = store.followed(Service::Payments).await.unwrap();
    assert_eq!(followed, [at(old, 3), at(old, 10)]);
    assert!(store.adopt(Service::Payments, forked_at(10)).await.unwrap());
    let followed = store.followed(Service::Payments).await.unwrap();
    assert_eq!(followed, [at(new, 3), at(new, 10)]);
}
