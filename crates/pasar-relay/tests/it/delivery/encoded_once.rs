//! One body for all who get a message at the same time.

use serde_json::json;

use super::{bench::Bench, double::Double};

#[tokio::test]
async fn deliveries_under_way_share_one_body() {
    let bench = Bench::new();
    let names = ["body-one", "body-two", "body-three"];
    let doubles = names.map(Double::new);
    for (name, double) in names.iter().zip(&doubles) {
        double.open(false);
        bench.subscribe("double", name, json!({})).await;
    }
    bench.publish(&["", "", ""]).await;
    let mut bodies = Vec::new();
    for double in &doubles {
        let mut came = double.wait_for(3).await;
        came.sort_by_key(|came| came.position);
        bodies.push(came.into_iter().map(|came| came.body));
    }
    let others: Vec<_> = bodies.drain(1..).collect();
    let first: Vec<_> = bodies.remove(0).collect();
    for other in others {
        for (one, same) in first.iter().zip(other) {
            assert!(one.len() > 100);
            assert_eq!(one.as_ptr(), same.as_ptr());
        }
    }
    for double in &doubles {
        double.open(true);
    }
}
