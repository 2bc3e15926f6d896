//! How often and how many at once.

use std::time::Duration;

use serde_json::json;

use super::{bench::Bench, double::Double};

#[tokio::test]
async fn no_more_are_sent_in_a_second_than_its_rate() {
    let bench = Bench::new();
    let double = Double::new("rate");
    let id = bench
        .subscribe(
            "double",
            "rate",
            json!({"rate_per_s": 10, "concurrency": 100}),
        )
        .await;
    bench.publish(&[""; 50]).await;
    double.wait_for(1).await;
    let mut seconds = 0;
    while double.came().len() < 50 {
        let before = double.came().len();
        for _ in 0..10 {
            bench.host.advance(Duration::from_millis(100));
            bench
                .until("recorded", |bench| {
                    bench.attempts(id).len() == double.came().len()
                })
                .await;
            tokio::task::yield_now().await;
        }
        seconds += 1;
        let sent = double.came().len() - before;
        assert!(sent <= 11, "{sent} in a second");
    }
    assert!(seconds >= 4, "{seconds}");
    bench.quiet(id).await;
}

#[tokio::test]
async fn no_more_are_in_flight_than_allowed() {
    let bench = Bench::new();
    let double = Double::new("window");
    let id = bench
        .subscribe("double", "window", json!({"concurrency": 3}))
        .await;
    double.open(false);
    bench.publish(&[""; 20]).await;
    double.wait_for(3).await;
    bench.publish(&[""; 20]).await;
    assert_eq!(double.came().len(), 3);
    double.open(true);
    double.wait_for(40).await;
    bench.quiet(id).await;
    assert_eq!(double.came().len(), 40);
}
