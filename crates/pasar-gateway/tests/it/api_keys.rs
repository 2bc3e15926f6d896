//! API keys: asked for once, remembered for seconds, forgotten when revoked.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use pasar_contracts::{api::users::Role, events::users::ApiKeyRevoked};
use pasar_types::id::UserId;
use serde_json::{Value, json};

use crate::support::{System, problem, problem_of};

#[tokio::test]
async fn a_good_key_is_an_identity_with_scopes() {
    let system = System::start().await;
    let (id, key) = system.api_key(3, &[Role::Integrator]);
    let seen: Value = system
        .get_as(&key, "/v1/orders/echo")
        .await
        .json()
        .await
        .unwrap();
    let owner = UserId::from_bytes([3; 16]);
    assert_eq!(seen["actor"], format!("key:{id}:{owner}"));
    assert_eq!(seen["roles"], json!(["integrator"]));
    assert_eq!(seen["scopes"], json!(["publish:client"]));
}

#[tokio::test]
async fn a_key_is_asked_for_once_in_ten_seconds_also_by_many_at_once() {
    let (system, clock) = System::at_rest(|_| {}).await;
    let (_, key) = system.api_key(3, &[Role::Staff]);
    let asked = || system.users.asked_keys.load(SeqCst);
    let all = futures_util::future::join_all((0..50).map(|_| system.status_as(&key, "/v1/orders")));
    assert!(all.await.iter().all(|status| *status == 200));
    assert_eq!(asked(), 1);
    clock.advance(Duration::from_secs(9));
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
    assert_eq!(asked(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_not_asked_for_again_at_once() {
    let (system, clock) = System::at_rest(|_| {}).await;
    let (_, other) = system.api_key(3, &[Role::Staff]);
    let key = format!("{other}x");
    for _ in 0..10 {
        assert_eq!(
            problem_of(system.get_as(&key, "/v1/orders").await).await,
            problem(401, "unauthenticated")
        );
    }
    assert_eq!(system.users.asked_keys.load(SeqCst), 1);
    clock.advance(Duration::from_secs(2));
    assert_eq!(system.status_as(&key, "/v1/orders").await, 401);
    assert_eq!(system.users.asked_keys.load(SeqCst), 2);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_by_the_feed_and_within_ten_seconds_without() {
    let system = System::start().await;
    let (id, key) = system.api_key(3, &[Role::Staff]);
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
    system.users.take_key(&key);
    assert_eq!(
        system.status_as(&key, "/v1/orders").await,
        200,
        "still remembered"
    );
    system.feed.append(&ApiKeyRevoked {
        user_id: UserId::from_bytes([3; 16]),
        api_key_id: id,
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while system.status_as(&key, "/v1/orders").await != 401 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the key outlived its revocation"
        );
    }

    let (system, clock) = System::at_rest(|setup| setup.follows = false).await;
    let (_, key) = system.api_key(3, &[Role::Staff]);
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
    system.users.take_key(&key);
    clock.advance(Duration::from_secs(10));
    assert_eq!(system.status_as(&key, "/v1/orders").await, 401);
}

#[tokio::test]
async fn a_key_whose_revocation_was_trimmed_before_it_was_heard_is_refused_too() {
    let system = System::start().await;
    let (id, key) = system.api_key(3, &[Role::Staff]);
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
    system.users.take_key(&key);
    system.feed.append_trimmed(&ApiKeyRevoked {
        user_id: UserId::from_bytes([3; 16]),
        api_key_id: id,
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while system.status_as(&key, "/v1/orders").await != 401 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the key outlived its revocation"
        );
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_is_neither_good_nor_bad() {
    let system = System::start().await;
    let (_, key) = system.api_key(3, &[Role::Staff]);
    system.users.unavailable.store(true, SeqCst);
    assert_eq!(
        problem_of(system.get_as(&key, "/v1/orders").await).await,
        problem(503, "unavailable")
    );
    system.users.unavailable.store(false, SeqCst);
    assert_eq!(system.status_as(&key, "/v1/orders").await, 200);
}
