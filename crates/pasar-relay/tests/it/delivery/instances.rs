//! Two instances of the relay on one database: one delivers, what is changed at the other reaches it, and what it
//! left under way when it was stopped is not recorded when it returns.

use std::time::Duration;

use pasar_contracts::api::relay::ReplayInput;
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double},
};

/// Of an instance whose beat stands still, by the clock of another.
const A_WHILE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_is_made_and_sent_at_one_instance_is_delivered_by_the_one_on_duty() {
    let double = Double::new("instances-made");
    let [first, second] = Bench::two().await;
    let id = second
        .subscribe("double", "instances-made", json!({}))
        .await;
    let positions = second.publish(&["a", "b"]).await;
    double.wait_for(2).await;
    second.quiet(id).await;
    assert_eq!(double.positions(), positions);
    first.publish(&["c"]).await;
    double.wait_for(3).await;
    assert!(first.duty.is_on() && !second.duty.is_on());
}

#[tokio::test]
async fn a_pause_and_a_replay_at_one_instance_reach_the_one_on_duty() {
    let double = Double::new("instances-changed");
    let [first, second] = Bench::two().await;
    let id = first
        .subscribe("double", "instances-changed", json!({}))
        .await;
    first.publish(&["a"]).await;
    double.wait_for(1).await;
    second.pause(id).await;
    // Whatever is on its way ends first; then nothing comes any more.
    first.until("heeded", |bench| nudges(bench) == 0).await;
    second.publish(&["b"]).await;
    second.resume(id).await;
    double.wait_for(2).await;
    second.quiet(id).await;
    second.replay(id, ReplayInput::Positions(vec![1])).await;
    double.wait_for(3).await;
    first.quiet(id).await;
    assert_eq!(double.positions(), [1, 2, 1]);
}

fn nudges(bench: &Bench) -> i64 {
    bench
        .store
        .read_now(|tx| tx.query_one("SELECT COUNT(*) FROM nudge", &[], |row| row.get(0)))
        .unwrap()
}

#[tokio::test]
async fn another_instance_delivers_what_a_stopped_one_had_under_way_and_only_its_record_stands() {
    let double = Double::new("instances-stopped");
    double.always(Answer::Late);
    let [first, second] = Bench::two().await;
    let id = first
        .subscribe("double", "instances-stopped", json!({}))
        .await;
    first.publish(&["a"]).await;
    double.wait_for(1).await;
    // The clock of the first stands still: it is stopped, as far as anybody can see.
    double.always(Answer::Taken);
    second
        .advance_until(A_WHILE, "taking over", |bench| bench.duty.is_on())
        .await;
    double.wait_for(2).await;
    second.quiet(id).await;
    // It goes on where it stood, and its destination has taken what it sent.
    double.take_late();
    first.host.advance(Duration::from_secs(30));
    first.until("relieved", |bench| !bench.duty.is_on()).await;
    second.publish(&["b"]).await;
    double.wait_for(3).await;
    second.quiet(id).await;
    assert_eq!(double.positions(), [1, 1, 2]);
    let recorded: Vec<_> = second
        .attempts(id)
        .iter()
        .map(|attempt| (attempt.position, attempt.delivered))
        .collect();
    assert_eq!(recorded, [(2, true), (1, true)]);
}

#[tokio::test]
async fn an_instance_that_ends_in_order_leaves_nothing_to_deliver_again() {
    let double = Double::new("instances-ended");
    let [first, second] = Bench::two().await;
    let id = first
        .subscribe("double", "instances-ended", json!({}))
        .await;
    let mut expected = first.publish(&["a", "b", "c"]).await;
    double.wait_for(3).await;
    first.host.drain().await;
    second
        .advance_until(Duration::from_millis(250), "taking over", |bench| {
            bench.duty.is_on()
        })
        .await;
    expected.extend(second.publish(&["d"]).await);
    double.wait_for(4).await;
    second.quiet(id).await;
    assert_eq!(double.positions(), expected);
}
