//! Ordered means: the next one is first sent once the success of the one before is stored.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double, no},
};

#[tokio::test]
async fn a_key_waits_for_its_failing_message_and_others_go_on() {
    let bench = Bench::new();
    let double = Double::answering("key", |came| {
        if came.key.as_deref() == Some("a") && came.attempt < 3 {
            no()
        } else {
            Answer::Taken
        }
    });
    let id = bench
        .subscribe("double", "key", json!({"ordering": "key"}))
        .await;
    bench.publish(&["a", "b", "a", "b", "", "a", "b"]).await;
    bench.until_retrying(id, 3).await;
    bench
        .until("the others came", |_| double.taken().len() == 4)
        .await;
    let mut others = double.taken();
    others.sort_unstable();
    assert_eq!(others, [2, 4, 5, 7]);
    let tried: Vec<_> = double
        .came()
        .into_iter()
        .filter(|came| !came.taken)
        .collect();
    assert!(tried.iter().all(|came| came.position == 1), "{tried:?}");
    bench
        .advance_until(Duration::from_secs(1), "all came", |_| {
            double.taken().len() == 7
        })
        .await;
    bench.quiet(id).await;
    let of_key: Vec<_> = double
        .came()
        .into_iter()
        .filter(|came| came.key.as_deref() == Some("a"))
        .map(|came| came.position)
        .collect();
    assert_eq!(of_key, [1, 1, 1, 3, 3, 3, 6, 6, 6]);
}

#[tokio::test]
async fn the_next_of_a_key_is_sent_only_once_the_success_before_it_is_stored() {
    let bench = Arc::new(Bench::new());
    let stored = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&stored);
    let store = bench.store.clone();
    let double = Double::answering("stored", move |came| {
        let attempts = store.read_now(|tx| {
            tx.query_one(
                "SELECT COUNT(*) FROM attempt WHERE delivered = 1",
                &[],
                |row| row.get::<i64>(0),
            )
        });
        seen.lock().push((came.position, attempts.unwrap()));
        Answer::Taken
    });
    for (ordering, from) in [("key", 0), ("strict", 30)] {
        let id = bench
            .subscribe("double", "stored", json!({"ordering": ordering}))
            .await;
        bench.publish(&["k"; 30]).await;
        double.wait_for(from + 30).await;
        bench.quiet(id).await;
        bench.pause(id).await;
    }
    for (position, stored) in stored.lock().iter() {
        assert_eq!(*stored, position - 1, "{position} came too early");
    }
}

#[tokio::test]
async fn strict_waits_with_all_for_one() {
    let bench = Bench::new();
    let double = Double::answering("strict", |came| {
        if came.position == 2 && came.attempt < 4 {
            no()
        } else {
            Answer::Taken
        }
    });
    let id = bench
        .subscribe("double", "strict", json!({"ordering": "strict"}))
        .await;
    bench.publish(&["a", "b", "c", "d"]).await;
    bench.until_retrying(id, 1).await;
    assert_eq!(double.positions(), [1, 2]);
    bench
        .advance_until(Duration::from_secs(1), "all came", |_| {
            double.taken().len() == 4
        })
        .await;
    bench.quiet(id).await;
    assert_eq!(double.positions(), [1, 2, 2, 2, 2, 3, 4]);
}

#[tokio::test]
async fn a_dead_letter_lets_the_next_of_its_key_go() {
    let bench = Bench::new();
    let double = Double::answering("dead key", |came| {
        if came.position == 1 {
            no()
        } else {
            Answer::Taken
        }
    });
    let policy = json!({"ordering": "key", "retry": {"attempts": 2, "first_s": 1}});
    let id = bench.subscribe("double", "dead key", policy).await;
    bench.publish(&["a", "a", "a"]).await;
    bench.until_retrying(id, 3).await;
    bench
        .advance_until(Duration::from_secs(1), "the others came", |_| {
            double.taken().len() == 2
        })
        .await;
    bench.quiet(id).await;
    assert_eq!(double.taken(), [2, 3]);
    assert_eq!(bench.subscription(id).dead_letters, 1);
}

#[tokio::test]
async fn what_was_held_goes_once_order_is_not_kept_any_more() {
    let bench = Bench::new();
    let double = Double::new("no order");
    let id = bench
        .subscribe("double", "no order", json!({"ordering": "key"}))
        .await;
    double.answer_next(super::double::not_before(86_400));
    bench.publish(&["a", "a", "a"]).await;
    bench.until_retrying(id, 3).await;
    bench.change(id, json!({"ordering": "none"})).await;
    bench.until_retrying(id, 1).await;
    let mut taken = double.taken();
    taken.sort_unstable();
    assert_eq!(taken, [2, 3]);
}
