//! What a restart or crash in the middle leaves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double, no},
};

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing_and_repeats_no_more_than_the_window() {
    let mut bench = Bench::new();
    let double = Double::new("crash");
    let id = bench
        .subscribe("double", "crash", json!({"concurrency": 4}))
        .await;
    let mut published = Vec::new();
    let mut crashes = 0;
    for round in 1..=5 {
        published.extend(bench.publish(&[""; 100]).await);
        double.wait_for(round * 60).await;
        bench = bench.crash().await;
        crashes += 1;
    }
    bench.quiet(id).await;
    let mut times: BTreeMap<i64, usize> = BTreeMap::new();
    let mut ids: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for came in double.came() {
        *times.entry(came.position).or_default() += 1;
        ids.entry(came.position).or_default().insert(came.id);
    }
    assert_eq!(times.keys().copied().collect::<Vec<_>>(), published);
    assert!(
        ids.values().all(|ids| ids.len() == 1),
        "a repeat has the same id"
    );
    let repeats: usize = times.values().map(|times| times - 1).sum();
    assert!(repeats <= crashes * 4, "{repeats} repeats");
}

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_sent_again() {
    for ordering in ["none", "key"] {
        let bench = Bench::new();
        let name = format!("in flight {ordering}");
        let double = Double::new(&name);
        let window = json!({"concurrency": 4, "ordering": ordering});
        let id = bench.subscribe("double", &name, window).await;
        double.answer_next(Answer::Stuck);
        bench.publish(&["a", "b", "c"]).await;
        bench
            .until("two are recorded", |bench| bench.attempts(id).len() == 2)
            .await;
        let bench = bench.crash().await;
        bench
            .until("the first came", |_| double.taken().contains(&1))
            .await;
        bench.quiet(id).await;
    }
}

#[tokio::test]
async fn what_waits_behind_one_in_flight_is_not_sent_from_the_log_after_a_crash() {
    let bench = Bench::new();
    let double = Double::new("behind");
    let id = bench
        .subscribe("double", "behind", json!({"concurrency": 4}))
        .await;
    double.answer_next(Answer::Stuck);
    double.answer_next(super::double::not_before(3_600));
    bench.publish(&["a"]).await;
    double.wait_for(1).await;
    bench.publish(&["b"]).await;
    bench.until_retrying(id, 1).await;
    let bench = bench.crash().await;
    bench.publish(&["c"]).await;
    bench
        .until("the others came", |_| double.taken().len() == 2)
        .await;
    assert_eq!(double.positions(), [1, 2, 1, 3]);
    bench.host.advance(std::time::Duration::from_secs(3_600));
    bench.quiet(id).await;
    assert_eq!(double.taken(), [1, 3, 2]);
}

#[tokio::test]
async fn one_that_answers_for_long_does_not_let_a_crash_repeat_all_that_came_since() {
    for ordering in ["none", "key"] {
        let bench = Bench::new();
        let name = format!("long {ordering}");
        let double = Double::new(&name);
        let window = json!({"concurrency": 4, "ordering": ordering});
        let id = bench.subscribe("double", &name, window).await;
        double.answer_next(Answer::Stuck);
        let mut keys = vec!["b"; 300];
        (keys[0], keys[1], keys[150]) = ("a", "a", "a");
        bench.publish(&keys).await;
        let done = if ordering == "key" { 297 } else { 299 };
        bench
            .until("the others are recorded", |bench| {
                bench.attempts(id).len() == done
            })
            .await;
        let bench = bench.crash().await;
        bench
            .until("all came", |_| double.taken().len() >= 300)
            .await;
        bench.quiet(id).await;
        let taken = double.taken();
        assert!(taken.len() <= 300 + 3 * 4, "{} repeats", taken.len() - 300);
        let of_key: Vec<_> = taken
            .into_iter()
            .filter(|position| [1, 2, 151].contains(position))
            .collect();
        assert!(ordering == "none" || of_key == [1, 2, 151], "{of_key:?}");
    }
}

#[tokio::test]
async fn a_drain_records_what_is_in_flight_so_that_nothing_is_repeated() {
    let bench = Bench::new();
    let double = Double::new("drain");
    let id = bench.subscribe("double", "drain", json!({})).await;
    bench.publish(&[""; 200]).await;
    double.wait_for(50).await;
    let bench = bench.restart().await;
    double.wait_for(200).await;
    bench.quiet(id).await;
    let mut came = double.positions();
    came.sort_unstable();
    assert_eq!(came, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_waits_is_tried_again_after_a_restart_and_not_sent_from_the_log_too() {
    let bench = Bench::new();
    let double = Double::answering("waits", |came| {
        if came.attempt < 2 {
            no()
        } else {
            Answer::Taken
        }
    });
    let id = bench
        .subscribe("double", "waits", json!({"ordering": "key"}))
        .await;
    bench.publish(&["a", "b", "a", "b"]).await;
    bench.until_retrying(id, 4).await;
    let bench = bench.crash().await;
    bench.publish(&["a"]).await;
    bench
        .advance_until(std::time::Duration::from_secs(1), "all came", |_| {
            double.taken().len() == 5
        })
        .await;
    bench.quiet(id).await;
    let of_key: Vec<_> = double
        .came()
        .into_iter()
        .filter(|came| came.key.as_deref() == Some("a"))
        .map(|came| came.position)
        .collect();
    assert_eq!(of_key, [1, 1, 3, 3, 5, 5]);
}

#[tokio::test]
async fn many_that_are_idle_begin_again_with_one_pass_of_the_log() {
    let bench = Bench::new();
    let busy = Double::new("busy");
    let idle = Double::new("idle");
    for _ in 0..50 {
        bench
            .subscribe("double", "idle", json!({"topics": ["other"]}))
            .await;
    }
    let id = bench.subscribe("double", "busy", json!({})).await;
    bench.publish(&[""; 10]).await;
    bench.quiet(id).await;
    let attached = |bench: &Bench| {
        let all = bench.store.read_now(|tx| {
            tx.query_one(
                "SELECT COUNT(*) FROM progress WHERE attached = 1",
                &[],
                |row| row.get::<i64>(0),
            )
        });
        all.unwrap()
    };
    bench
        .until("all are attached", |bench| attached(bench) == 51)
        .await;
    let bench = bench.crash().await;
    bench.publish(&[""; 10]).await;
    bench.publish_to("other", &[""]).await;
    busy.wait_for(20).await;
    idle.wait_for(50).await;
    bench.quiet(id).await;
    assert_eq!(idle.came().len(), 50);
    assert_eq!(attached(&bench), 51);
}
