//! Several instances of the relay deliver at the same time, each its share of the subscriptions.

use std::{collections::BTreeMap, time::Duration};

use pasar_testkit::{host::TestHost, probe::soon};
use pasar_types::id::SubscriptionId;
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double},
};

const LOOK: Duration = Duration::from_millis(250);
/// Enough for each of four shares to have some.
const SUBSCRIPTIONS: usize = 24;

fn held(bench: &Bench) -> usize {
    bench.shares.iter().filter(|share| share.is_on()).count()
}

/// Moves the clocks of all until each holds so many shares.
async fn until(benches: &[&Bench], wanted: &[usize]) {
    let reached = async {
        loop {
            let held: Vec<_> = benches.iter().map(|bench| held(bench)).collect();
            if held == wanted {
                return;
            }
            for bench in benches {
                bench.host.advance(LOOK);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("shares", reached).await;
}

/// Each of the subscriptions gets these messages, and nothing else has come.
async fn each_has_come_once(bench: &Bench, double: &Double, messages: usize) {
    double.wait_for(SUBSCRIPTIONS * messages).await;
    bench
        .until("all is recorded", |bench| {
            ids(bench)
                .iter()
                .all(|id| bench.subscription(*id).behind == 0)
        })
        .await;
    let mut came = BTreeMap::new();
    for position in double.positions() {
        *came.entry(position).or_insert(0) += 1;
    }
    assert_eq!(came.len(), messages);
    assert!(
        came.values().all(|times| *times == SUBSCRIPTIONS),
        "{came:?}"
    );
}

fn ids(bench: &Bench) -> Vec<SubscriptionId> {
    let sql = "SELECT id FROM subscription";
    let ids = bench
        .store
        .read_now(|tx| tx.query_all(sql, &[], |row| row.get(0)));
    ids.unwrap()
}

async fn subscribe(bench: &Bench, to: &str) {
    for _ in 0..SUBSCRIPTIONS {
        bench.subscribe("double", to, json!({})).await;
    }
}

#[tokio::test]
async fn instances_deliver_a_share_each_and_no_message_twice_when_one_comes_or_ends() {
    let double = Double::new("shared-out");
    let [first, second] = TestHost::several();
    let first = Bench::sharing(first).await;
    until(&[&first], &[4]).await;
    subscribe(&first, "shared-out").await;
    first.publish(&["a"]).await;
    each_has_come_once(&first, &double, 1).await;
    let second = Bench::sharing(second).await;
    until(&[&first, &second], &[2, 2]).await;
    second.publish(&["b"]).await;
    each_has_come_once(&first, &double, 2).await;
    first.host.drain().await;
    until(&[&second], &[4]).await;
    second.publish(&["c"]).await;
    each_has_come_once(&second, &double, 3).await;
}

#[tokio::test]
async fn what_is_changed_at_one_instance_reaches_the_one_that_has_its_share() {
    let double = Double::new("shared-changed");
    let [first, second] = TestHost::several();
    let (first, second) = (Bench::sharing(first).await, Bench::sharing(second).await);
    until(&[&first, &second], &[2, 2]).await;
    // Half of them are in shares of the second.
    subscribe(&first, "shared-changed").await;
    second.publish(&["a"]).await;
    each_has_come_once(&first, &double, 1).await;
    for id in ids(&first) {
        second.pause(id).await;
    }
    let nudged = "SELECT COUNT(*) FROM nudge";
    let heeded = |bench: &Bench| {
        let left = bench
            .store
            .read_now(|tx| tx.query_one(nudged, &[], |row| row.get::<i64>(0)));
        left.unwrap() == 0
    };
    // What is under way ends first. An instance looks at what it changed itself once it hears of another.
    first.publish_to("other", &["x"]).await;
    first.until("heeded", heeded).await;
    first.publish(&["b"]).await;
    for id in ids(&first) {
        first.resume(id).await;
    }
    each_has_come_once(&second, &double, 2).await;
}

#[tokio::test]
async fn a_message_on_its_way_is_answered_before_its_share_is_handed_over() {
    let double = Double::new("shared-under-way");
    double.always(Answer::Late);
    let [first, second] = TestHost::several();
    let first = Bench::sharing(first).await;
    until(&[&first], &[4]).await;
    subscribe(&first, "shared-under-way").await;
    first.publish(&["a"]).await;
    double.wait_for(SUBSCRIPTIONS).await;
    let second = Bench::sharing(second).await;
    for _ in 0..8 {
        first.host.advance(LOOK);
        second.host.advance(LOOK);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(held(&second), 0, "messages were on their way");
    }
    double.take_late();
    double.always(Answer::Taken);
    until(&[&first, &second], &[2, 2]).await;
    second.publish(&["b"]).await;
    each_has_come_once(&second, &double, 2).await;
}

#[tokio::test]
async fn the_share_of_a_stopped_instance_is_delivered_by_the_others() {
    let double = Double::new("shared-stopped");
    let [first, second] = TestHost::several();
    let (first, second) = (Bench::sharing(first).await, Bench::sharing(second).await);
    until(&[&first, &second], &[2, 2]).await;
    subscribe(&second, "shared-stopped").await;
    second.publish(&["a"]).await;
    each_has_come_once(&second, &double, 1).await;
    // As good as stopped: its clock stands still from here on.
    until(&[&second], &[4]).await;
    second.publish(&["b"]).await;
    double.wait_for(2 * SUBSCRIPTIONS).await;
    let complete = |bench: &Bench| {
        ids(bench)
            .iter()
            .all(|id| bench.subscription(*id).behind == 0)
    };
    second.until("all is recorded", complete).await;
    first.host.advance(Duration::from_secs(30));
    first.until("relieved", |bench| held(bench) == 0).await;
}
