//! Delivering once more.

use std::time::Duration;

use pasar_contracts::api::relay::ReplayInput;
use pasar_relay::{commands::replay_deliveries::Outcome, destination::Next};
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double},
};

#[tokio::test]
async fn positions_are_delivered_again_whether_they_match_or_not() {
    let bench = Bench::new();
    let double = Double::new("positions");
    let id = bench.subscribe("double", "positions", json!({})).await;
    bench.publish(&["", ""]).await;
    bench.publish_to("other", &[""]).await;
    bench.quiet(id).await;
    let scheduled = bench
        .replay(id, ReplayInput::Positions(vec![3, 1, 1]))
        .await;
    assert_eq!(scheduled, Outcome::Scheduled(2));
    double.wait_for(4).await;
    bench.quiet(id).await;
    let mut again = double.positions()[2..].to_vec();
    again.sort_unstable();
    assert_eq!(again, [1, 3]);
    let unknown = bench.replay(id, ReplayInput::Positions(vec![99])).await;
    assert_eq!(unknown, Outcome::Unknown(99));
}

#[tokio::test]
async fn a_stretch_of_the_log_is_worked_off_in_order_and_survives_a_restart() {
    let bench = Bench::new();
    let double = Double::new("stretch");
    let id = bench
        .subscribe("double", "stretch", json!({"ordering": "strict"}))
        .await;
    for _ in 0..6 {
        bench.publish(&[""; 200]).await;
    }
    bench.publish_to("other", &[""; 10]).await;
    bench.quiet(id).await;
    bench.host.advance(Duration::from_secs(60));
    let range = ReplayInput::Range {
        after: 100,
        upto: None,
    };
    assert_eq!(bench.replay(id, range).await, Outcome::Scheduled(0));
    double.wait_for(1_300).await;
    let bench = bench.restart().await;
    double.wait_for(2_300).await;
    bench.quiet(id).await;
    assert_eq!(
        double.positions()[1_200..],
        (101..=1_200).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_was_accepted_since_a_time_is_delivered_again() {
    let bench = Bench::new();
    let double = Double::new("since");
    let id = bench.subscribe("double", "since", json!({})).await;
    bench.publish(&["", ""]).await;
    bench.host.advance(Duration::from_secs(60));
    let time = bench.now();
    bench.publish(&["", ""]).await;
    bench.quiet(id).await;
    bench.replay(id, ReplayInput::Since(time)).await;
    double.wait_for(6).await;
    bench.quiet(id).await;
    let mut again = double.positions()[4..].to_vec();
    again.sort_unstable();
    assert_eq!(again, [3, 4]);
}

/// A delivery from `retry` is under way when a replay asks for it once more.
async fn asked_under_way(name: &str, ordering: &str, answer: Answer) {
    let bench = Bench::new();
    let double = Double::new(name);
    let with = json!({"ordering": ordering, "retry": {"first_s": 86_400, "most_s": 86_400}});
    let id = bench.subscribe("double", name, with).await;
    bench.publish(&["k", "k", "k"]).await;
    bench.quiet(id).await;
    double.open(false);
    double.answer_next(answer);
    let again = ReplayInput::Positions(vec![2]);
    bench.replay(id, again.clone()).await;
    double.wait_for(4).await;
    assert_eq!(bench.replay(id, again).await, Outcome::Scheduled(1));
    double.open(true);
    double.wait_for(5).await;
    bench.quiet(id).await;
    assert_eq!(double.positions()[3..], [2, 2]);
    assert!(bench.dead_letters(id).is_empty());
    bench.publish(&["k"]).await;
    double.wait_for(6).await;
    bench.quiet(id).await;
}

#[tokio::test]
async fn a_replay_asked_for_while_one_is_under_way_delivers_once_more() {
    asked_under_way("under-way", "none", Answer::Taken).await;
    asked_under_way("under-way-key", "key", Answer::Taken).await;
    asked_under_way("under-way-strict", "strict", Answer::Taken).await;
}

#[tokio::test]
async fn a_replay_asked_for_while_one_is_under_way_begins_anew_whatever_comes_of_that() {
    asked_under_way("under-way-failed", "none", Answer::No(Next::Retry)).await;
    asked_under_way("under-way-key-failed", "key", Answer::No(Next::Retry)).await;
    asked_under_way("under-way-dead", "strict", Answer::No(Next::Never)).await;
}

#[tokio::test]
async fn a_replay_of_one_that_has_not_been_recorded_yet_delivers_once_more() {
    let bench = Bench::new();
    let double = Double::new("first");
    let id = bench
        .subscribe("double", "first", json!({"ordering": "strict"}))
        .await;
    double.open(false);
    bench.publish(&["", ""]).await;
    double.wait_for(1).await;
    let again = ReplayInput::Positions(vec![1]);
    assert_eq!(bench.replay(id, again).await, Outcome::Scheduled(1));
    double.open(true);
    double.wait_for(3).await;
    bench.quiet(id).await;
    assert_eq!(double.positions(), [1, 1, 2]);
}

#[tokio::test]
async fn a_replay_of_one_that_was_put_aside_delivers_once_more() {
    let bench = Bench::new();
    let mut late = false;
    let double = Double::answering("aside-again", move |came| {
        if came.position == 1 && !std::mem::replace(&mut late, true) {
            Answer::Late
        } else {
            Answer::Taken
        }
    });
    let id = bench
        .subscribe("double", "aside-again", json!({"concurrency": 4}))
        .await;
    bench.publish(&[""; 50]).await;
    bench.until_retrying(id, 1).await;
    let again = ReplayInput::Positions(vec![1]);
    assert_eq!(bench.replay(id, again).await, Outcome::Scheduled(1));
    double.take_late();
    double.wait_for(51).await;
    bench.quiet(id).await;
    assert_eq!(
        double
            .taken()
            .iter()
            .filter(|position| **position == 1)
            .count(),
        2
    );
}
