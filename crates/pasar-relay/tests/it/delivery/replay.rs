//! Delivering once more.

use std::time::Duration;

use pasar_contracts::api::relay::ReplayInput;
use pasar_relay::commands::replay_deliveries::Outcome;
use serde_json::json;

use super::{bench::Bench, double::Double};

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
