//! The same intention twice.

use std::time::Duration;

use pasar_store::{
    cause::{Actor, Cause},
    idempotency::{Fingerprint, Once},
    lane::{Class, LaneKey},
    store::Executor,
};
use pasar_types::id::{FlowId, UserId};

use crate::bench_db::{Bench, count};

fn once(bench: &Bench, user: u8, key: &str, body: &str) -> Once<i64> {
    let cause = Cause::new(
        Actor::User(UserId::from_bytes([user; 16])),
        FlowId::from_bytes([1; 16]),
    );
    let key = key.parse().unwrap();
    let fingerprint = Fingerprint::of(&[body.as_bytes()]);
    let answer = bench
        .store
        .write(LaneKey::ZERO, Class::New, cause, move |context| {
            context.once("Count", &key, fingerprint, |context| count(context, "a", 1))
        });
    bench.store.run_group(1);
    answer.wait().unwrap()
}

#[test]
fn the_same_again_gets_the_same_answer_and_has_no_second_effect() {
    let bench = Bench::new(Executor::Inline);
    assert_eq!(once(&bench, 1, "k", "x"), Once::Fresh(1));
    assert_eq!(once(&bench, 1, "k", "x"), Once::Repeated(1));
    assert_eq!(once(&bench, 1, "k", "y"), Once::KeyReused);
    assert_eq!(
        once(&bench, 2, "k", "y"),
        Once::Fresh(2),
        "another actor's key is another key"
    );
    assert_eq!(bench.feed().len(), 2);
}

#[test]
fn an_outcome_is_repeated_for_a_day() {
    let bench = Bench::new(Executor::Inline);
    once(&bench, 1, "k", "x");
    bench.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(once(&bench, 1, "k", "x"), Once::Repeated(1));
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(once(&bench, 1, "k", "x"), Once::Fresh(2));
}

#[test]
fn forgotten_outcomes_are_swept_away() {
    let bench = Bench::new(Executor::Inline);
    for key in ["k1", "k2", "k3"] {
        once(&bench, 1, key, "x");
    }
    bench.clock.advance(Duration::from_secs(25 * 3600));
    once(&bench, 1, "k4", "x");
    let kept = bench
        .store
        .read_now(|tx| {
            tx.query_one("SELECT COUNT(*) FROM idempotency", &[], |row| {
                row.get::<i64>(0)
            })
        })
        .unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn parts_of_a_fingerprint_do_not_run_into_each_other() {
    assert_ne!(
        Fingerprint::of(&[b"ab", b"c"]),
        Fingerprint::of(&[b"a", b"bc"])
    );
}
