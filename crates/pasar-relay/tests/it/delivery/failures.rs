//! Destinations that say no, in every way.

use std::time::Duration;

use pasar_contracts::api::relay::{DisableReason, ReplayInput, SubscriptionState};
use pasar_relay::{commands::replay_deliveries, config::Config, destination::Next};
use serde_json::json;

use super::{
    bench::Bench,
    double::{Answer, Double, no, not_before},
};

#[tokio::test]
async fn a_failed_delivery_is_tried_again_when_it_is_due_and_holds_up_no_other() {
    let bench = Bench::new();
    let double = Double::new("again");
    let id = bench.subscribe("double", "again", json!({})).await;
    double.answer_next(no());
    let first = bench.publish(&[""]).await[0];
    bench.until_retrying(id, 1).await;
    bench.publish(&["", ""]).await;
    double.wait_for(3).await;
    assert_eq!(double.positions(), [first, first + 1, first + 2]);
    let failed = bench
        .attempts(id)
        .into_iter()
        .find(|attempt| !attempt.delivered)
        .unwrap();
    let pause = failed.next_at.unwrap().since(failed.at);
    assert!(pause <= Duration::from_secs(5), "{pause:?}");
    bench.host.advance(pause);
    double.wait_for(4).await;
    bench.quiet(id).await;
    let came = double.came().pop().unwrap();
    assert_eq!((came.position, came.attempt), (first, 2));
    assert_eq!(bench.attempts(id).len(), 4);
    assert!(bench.dead_letters(id).is_empty());
}

#[tokio::test]
async fn a_destination_is_left_alone_for_as_long_as_it_asks() {
    let bench = Bench::new();
    let double = Double::new("later");
    let id = bench.subscribe("double", "later", json!({})).await;
    double.answer_next(not_before(3_600));
    bench.publish(&[""]).await;
    bench.until_retrying(id, 1).await;
    bench.host.advance(Duration::from_secs(3_599));
    // Another message passes it, so that the courier has looked.
    bench.publish(&[""]).await;
    double.wait_for(2).await;
    bench
        .until("recorded", |bench| bench.attempts(id).len() == 2)
        .await;
    assert_eq!(bench.subscription(id).retrying, 1);
    bench.host.advance(Duration::from_secs(1));
    double.wait_for(3).await;
    bench.quiet(id).await;
}

#[tokio::test]
async fn what_was_tried_for_as_long_as_the_policy_says_is_a_dead_letter_and_can_be_replayed() {
    let bench = Bench::new();
    let double = Double::answering("dead", |_| no());
    let retry = json!({"retry": {"attempts": 3, "first_s": 1, "most_s": 1}});
    let id = bench.subscribe("double", "dead", retry).await;
    let position = bench.publish(&[""]).await[0];
    bench
        .advance_until(Duration::from_secs(1), "it is dead", |bench| {
            bench.subscription(id).dead_letters == 1
        })
        .await;
    let dead = bench.dead_letters(id).remove(0);
    assert_eq!(
        (dead.position, dead.attempts, dead.last_error.as_str()),
        (position, 3, "said no")
    );
    assert_eq!(bench.events().last().unwrap(), "message.dead_lettered.v1");
    double.always(Answer::Taken);
    let replayed = bench.replay(id, ReplayInput::DeadLetters(true)).await;
    assert_eq!(replayed, replay_deliveries::Outcome::Scheduled(1));
    double.wait_for(4).await;
    bench.quiet(id).await;
    assert_eq!(bench.subscription(id).dead_letters, 0);
    assert_eq!(double.came().pop().unwrap().attempt, 1);
}

#[tokio::test]
async fn a_message_that_will_never_be_taken_is_a_dead_letter_at_once() {
    let bench = Bench::new();
    let double = Double::new("never");
    let id = bench
        .subscribe("double", "never", json!({"ordering": "strict"}))
        .await;
    double.answer_next(Answer::No(Next::Never));
    bench.publish(&["", ""]).await;
    double.wait_for(2).await;
    bench.quiet(id).await;
    assert_eq!(bench.subscription(id).dead_letters, 1);
    assert_eq!(bench.subscription(id).failing_since, None);
}

#[tokio::test]
async fn a_destination_that_is_gone_disables_and_loses_nothing() {
    let bench = Bench::new();
    let double = Double::new("gone");
    let id = bench.subscribe("double", "gone", json!({})).await;
    double.answer_next(Answer::No(Next::Gone));
    let first = bench.publish(&[""]).await[0];
    bench.until_state(id, SubscriptionState::Disabled).await;
    let known = bench.subscription(id);
    assert_eq!(known.disabled_because, Some(DisableReason::Gone));
    assert!(
        bench
            .events()
            .contains(&"subscription.disabled.v1".to_owned())
    );
    bench.publish(&["", ""]).await;
    let bench = bench.restart().await;
    assert_eq!(double.positions(), [first]);
    bench.resume(id).await;
    double.wait_for(4).await;
    bench.quiet(id).await;
    let mut taken = double.taken();
    taken.sort_unstable();
    assert_eq!(taken, [first, first + 1, first + 2]);
}

#[tokio::test]
async fn one_that_fails_for_days_is_disabled_and_says_so() {
    let bench = Bench::with(Config {
        disable_after_s: 3_600,
        ..Config::default()
    });
    let _double = Double::answering("failing", |_| no());
    let id = bench.subscribe("double", "failing", json!({})).await;
    bench.publish(&[""]).await;
    bench
        .advance_until(Duration::from_secs(60), "it is disabled", |bench| {
            bench.subscription(id).state == SubscriptionState::Disabled
        })
        .await;
    let known = bench.subscription(id);
    assert_eq!(known.disabled_because, Some(DisableReason::Failing));
    assert_eq!((known.retrying, known.dead_letters), (1, 0));
    assert_eq!(bench.events().last().unwrap(), "subscription.disabled.v1");
}

#[tokio::test]
async fn a_broker_that_is_down_costs_no_attempt_and_gets_all_in_order_afterwards() {
    let bench = Bench::new();
    let double = Double::answering("down", |_| Answer::Unreachable);
    let retry = json!({"ordering": "key", "retry": {"attempts": 1}});
    let id = bench.subscribe("broker", "down", retry).await;
    bench.publish(&["a", "b", "a", "b", "a"]).await;
    bench
        .advance_until(Duration::from_secs(5), "it was asked for some time", |_| {
            double.came().len() > 8
        })
        .await;
    assert_eq!(bench.attempts(id).len(), 0);
    bench.publish(&["a"; 50]).await;
    double.always(Answer::Taken);
    bench
        .advance_until(Duration::from_secs(5), "all came", |_| {
            double.taken().len() == 55
        })
        .await;
    bench.quiet(id).await;
    assert_eq!(bench.subscription(id).dead_letters, 0);
    let mut by_key = [Vec::new(), Vec::new()];
    for came in double.came().into_iter().filter(|came| came.taken) {
        by_key[usize::from(came.key.as_deref() == Some("b"))].push(came.position);
    }
    assert_eq!(by_key[0].len(), 53);
    assert!(by_key.iter().all(|positions| positions.is_sorted()));
}

#[tokio::test]
async fn a_url_that_cannot_be_reached_costs_attempts() {
    let bench = Bench::new();
    let _double = Double::answering("nowhere", |_| Answer::Unreachable);
    let id = bench
        .subscribe("double", "nowhere", json!({"retry": {"attempts": 1}}))
        .await;
    bench.publish(&[""]).await;
    bench
        .until("it is dead", |bench| {
            bench.subscription(id).dead_letters == 1
        })
        .await;
    assert_eq!(
        bench.attempts(id)[0].detail.as_deref(),
        Some("nobody is there")
    );
}

#[tokio::test]
async fn a_test_message_goes_straight_to_the_destination_and_is_logged() {
    let bench = Bench::new();
    let double = Double::new("test");
    let id = bench.subscribe("double", "test", json!({})).await;
    bench.pause(id).await;
    double.answer_next(no());
    let attempt = bench.deliveries.test(id).await.unwrap().unwrap();
    assert_eq!(
        (attempt.delivered, attempt.detail.as_deref()),
        (false, Some("said no"))
    );
    assert_eq!(bench.attempts(id).len(), 1);
    assert_eq!(bench.subscription(id).retrying, 0);
    double.wait_for(1).await;
}
