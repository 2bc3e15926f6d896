//! Falling behind, catching up, pausing: a subscription's place in the log.

use std::time::Duration;

use pasar_contracts::api::relay::SubscriptionState;
use pasar_relay::commands::delete_subscription::{DeleteSubscription, delete_subscription};
use serde_json::json;

use super::{bench::Bench, double::Double};

fn attached(bench: &Bench) -> i64 {
    let attached = bench.store.read_now(|tx| {
        tx.query_one(
            "SELECT COUNT(*) FROM progress WHERE attached = 1",
            &[],
            |row| row.get(0),
        )
    });
    attached.unwrap()
}

#[tokio::test]
async fn one_that_stalls_falls_behind_alone_and_catches_up_in_order_exactly_once() {
    let bench = Bench::new();
    let (slow, fast) = (Double::new("slow"), Double::new("fast"));
    let one_by_one = json!({"concurrency": 1});
    let slow_id = bench.subscribe("double", "slow", one_by_one).await;
    let fast_id = bench.subscribe("double", "fast", json!({})).await;
    bench
        .until("both are attached", |bench| attached(bench) == 2)
        .await;
    slow.open(false);
    for _ in 0..12 {
        bench.publish(&[""; 250]).await;
    }
    fast.wait_for(3_000).await;
    bench.quiet(fast_id).await;
    assert_eq!(slow.came().len(), 1);
    bench
        .until("the slow one has left", |bench| {
            attached(bench) == 1 || slow.came().len() > 1
        })
        .await;
    slow.open(true);
    slow.wait_for(3_000).await;
    bench.quiet(slow_id).await;
    bench
        .until("it is back", |bench| attached(bench) == 2)
        .await;
    bench.publish(&[""; 10]).await;
    slow.wait_for(3_010).await;
    bench.quiet(slow_id).await;
    assert_eq!(slow.positions(), (1..=3_010).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_pause_loses_nothing_and_what_is_in_flight_ends() {
    let bench = Bench::new();
    let double = Double::new("pause");
    let id = bench
        .subscribe("double", "pause", json!({"concurrency": 2}))
        .await;
    double.open(false);
    bench.publish(&[""; 10]).await;
    double.wait_for(2).await;
    bench.pause(id).await;
    double.open(true);
    bench
        .until("what was in flight is recorded", |bench| {
            bench.attempts(id).len() == 2
        })
        .await;
    bench.publish(&[""; 10]).await;
    let bench = bench.restart().await;
    bench.until_state(id, SubscriptionState::Paused).await;
    assert_eq!(double.came().len(), 2);
    bench.resume(id).await;
    double.wait_for(20).await;
    bench.quiet(id).await;
    let mut came = double.positions();
    came.sort_unstable();
    assert_eq!(came, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn it_holds_the_log_while_too_much_waits_to_be_tried_again() {
    if pasar_testkit::fresh::is_on_server() {
        // Ten thousand take longer there than a test is waited for.
        return;
    }
    let bench = Bench::new();
    let double = Double::answering("full", |_| super::double::no());
    let policy = json!({"concurrency": 64, "retry": {"first_s": 86400, "most_s": 86400}});
    let id = bench.subscribe("double", "full", policy).await;
    for _ in 0..44 {
        bench.publish(&[""; 250]).await;
    }
    bench
        .until("no more is taken", |bench| {
            bench.subscription(id).retrying >= 10_000
        })
        .await;
    double.wait_for(10_000).await;
    let known = bench.subscription(id);
    assert!(known.behind >= 11_000 - 10_064, "{}", known.behind);
    double.always(super::double::Answer::Taken);
    bench
        .advance_until(Duration::from_secs(3_600), "all are delivered", |bench| {
            let known = bench.subscription(id);
            known.behind == 0 && known.retrying == 0
        })
        .await;
    let mut taken = double.taken();
    taken.sort_unstable();
    assert_eq!(taken, (1..=11_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_new_filter_is_what_it_goes_on_with() {
    let bench = Bench::new();
    let double = Double::new("filter");
    let id = bench
        .subscribe("double", "filter", json!({"topics": ["other"]}))
        .await;
    bench.publish(&["", ""]).await;
    bench.quiet(id).await;
    assert!(double.came().is_empty());
    bench
        .change(id, json!({"topics": ["client"], "format": "raw"}))
        .await;
    bench.publish(&[""]).await;
    double.wait_for(1).await;
    // Changing again and again while messages come leaves one courier, and loses nothing.
    for _ in 0..20 {
        bench.publish(&["", ""]).await;
        bench.change(id, json!({"concurrency": 3})).await;
        bench.change(id, json!({"concurrency": 4})).await;
    }
    double.wait_for(41).await;
    bench.quiet(id).await;
    let mut came = double.positions();
    came.sort_unstable();
    assert_eq!(came, (3..=43).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_is_deleted_gets_nothing_more_and_leaves_nothing_that_waits() {
    let bench = Bench::new();
    let double = Double::answering("deleted", |_| super::double::no());
    let id = bench.subscribe("double", "deleted", json!({})).await;
    bench.publish(&[""; 5]).await;
    bench.until_retrying(id, 5).await;
    let command = DeleteSubscription { id, version: None };
    bench
        .write(move |ctx| delete_subscription(ctx, command))
        .await;
    bench.deliveries.changed(id);
    let other = Double::new("stays");
    let stays = bench.subscribe("double", "stays", json!({})).await;
    bench.host.advance(Duration::from_secs(60));
    bench.publish(&[""; 5]).await;
    other.wait_for(5).await;
    bench.quiet(stays).await;
    assert_eq!(double.came().len(), 5);
}

#[tokio::test]
async fn ten_thousand_that_are_idle_cost_a_message_nothing() {
    const IDLE: usize = 10_000;
    if pasar_testkit::fresh::is_on_server() {
        // Ten thousand take longer there than a test is waited for.
        return;
    }
    let bench = Bench::new();
    let (idle, busy) = (Double::new("ten thousand"), Double::new("one"));
    bench
        .subscribe_many("double", "ten thousand", json!({"topics": ["other"]}), IDLE)
        .await;
    let bench = bench.restart().await;
    bench
        .until("all are attached", |bench| attached(bench) == 10_000)
        .await;
    let bench = bench.restart().await;
    let id = bench.subscribe("double", "one", json!({})).await;
    for _ in 0..10 {
        bench.publish(&[""; 100]).await;
    }
    busy.wait_for(1_000).await;
    bench.quiet(id).await;
    assert!(idle.came().is_empty());
    // The rows of those that are idle were not touched.
    let touched = bench.store.read_now(|tx| {
        tx.query_one(
            "SELECT COUNT(*) FROM progress WHERE position > 0",
            &[],
            |row| row.get::<i64>(0),
        )
    });
    assert_eq!(touched.unwrap(), 1);
    bench.publish_to("other", &[""]).await;
    idle.wait_for(IDLE).await;
}
