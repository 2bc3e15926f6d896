//! Random failures and crashes: every message is delivered, and keys keep their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use proptest::prelude::*;
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double, no, not_before},
};

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<u8>),
    Advance(u8),
    Crash,
    Restart,
    PauseAndResume,
}

static CASES: AtomicU32 = AtomicU32::new(0);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(0..4_u8, 1..20).prop_map(Step::Publish),
        2 => (1..20_u8).prop_map(Step::Advance),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        1 => Just(Step::PauseAndResume),
    ];
    prop::collection::vec(step, 3..12)
}

/// Says no now and then; which messages and how often is drawn from the seed.
fn answer(seed: u64, position: i64, attempt: u32) -> Answer {
    let mixed = (seed ^ position.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(u64::from(attempt).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    match (mixed ^ (mixed >> 29)) % 8 {
        0 | 1 => no(),
        2 => not_before(3),
        3 => Answer::Unreachable,
        _ => Answer::Taken,
    }
}

async fn run(ordering: &'static str, kind: &'static str, seed: u64, steps: Vec<Step>) {
    let name = format!("property {}", CASES.fetch_add(1, Ordering::Relaxed));
    let mut came_before = 0_u64;
    let double = Double::answering(&name, move |came| {
        came_before += 1;
        answer(seed ^ came_before, came.position, came.attempt)
    });
    let mut bench = Bench::new();
    let policy = json!({"ordering": ordering, "retry": {"attempts": 100}, "concurrency": 4});
    let id = bench.subscribe(kind, &name, policy).await;
    let mut published = BTreeSet::new();
    for step in steps {
        match step {
            Step::Publish(keys) => {
                let keys: Vec<_> = keys
                    .iter()
                    .map(|key| ["", "a", "b", "c"][usize::from(*key)])
                    .collect();
                published.extend(bench.publish(&keys).await);
            }
            Step::Advance(seconds) => bench.host.advance(Duration::from_secs(seconds.into())),
            Step::Crash => bench = bench.crash().await,
            Step::Restart => bench = bench.restart().await,
            Step::PauseAndResume => {
                bench.pause(id).await;
                bench.resume(id).await;
            }
        }
        tokio::task::yield_now().await;
    }
    double.always(Answer::Taken);
    bench
        .advance_until(Duration::from_secs(20), "all is delivered", |bench| {
            let known = bench.subscription(id);
            known.behind == 0 && known.retrying == 0
        })
        .await;
    let mut first: BTreeMap<i64, usize> = BTreeMap::new();
    let mut by_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (at, came) in double.came().into_iter().enumerate() {
        if came.taken && !first.contains_key(&came.position) {
            first.insert(came.position, at);
            by_key
                .entry(came.key.unwrap_or_default())
                .or_default()
                .push(came.position);
        }
    }
    assert_eq!(
        first.keys().copied().collect::<BTreeSet<_>>(),
        published,
        "all are delivered"
    );
    for (key, positions) in by_key {
        let ordered = ordering == "strict" || (ordering == "key" && !key.is_empty());
        assert!(!ordered || positions.is_sorted(), "{key}: {positions:?}");
    }
    bench.host.drain().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_message_is_delivered_and_keys_keep_their_order(
        ordering in prop_oneof![Just("none"), Just("key"), Just("strict")],
        kind in prop_oneof![Just("double"), Just("broker")],
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(ordering, kind, seed, steps));
    }
}
