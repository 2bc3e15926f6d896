//! How many requests are too many, for whom, and what is said about it.

use std::time::Duration;

use pasar_contracts::api::users::{RateLimit, Role, VerifiedApiKey};
use pasar_gateway::config::Quota;
use pasar_types::id::{ApiKeyId, UserId};
use reqwest::Method;
use serde_json::json;

use crate::support::{Setup, System, problem, problem_of};

fn few(setup: &mut Setup) {
    setup.config.rate_limits.anonymous = Quota {
        requests: 3,
        per_s: 60,
    };
    setup.config.rate_limits.authenticated = Quota {
        requests: 5,
        per_s: 60,
    };
    setup.config.rate_limits.login = Quota {
        requests: 2,
        per_s: 60,
    };
}

#[tokio::test]
async fn a_stranger_is_limited_by_address_and_told_when_to_come_again() {
    let (system, clock) = System::at_rest(few).await;
    for left in ["2", "1", "0"] {
        let response = system.get("/v1/orders").await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["ratelimit-policy"],
            "\"anonymous\";q=3;w=60"
        );
        let field = response.headers()["ratelimit"].to_str().unwrap().to_owned();
        assert!(
            field.starts_with(&format!("\"anonymous\";r={left};t=")),
            "{field}"
        );
    }
    let refused = system.get("/v1/orders").await;
    assert_eq!(refused.headers()["retry-after"], "20");
    assert_eq!(refused.headers()["ratelimit"], "\"anonymous\";r=0;t=60");
    assert_eq!(problem_of(refused).await, problem(429, "too-many-requests"));
    assert_eq!(
        system.orders.seen().len(),
        3,
        "what is refused does not reach the service"
    );
    clock.advance(Duration::from_secs(20));
    assert_eq!(system.get("/v1/orders").await.status(), 200);
}

#[tokio::test]
async fn users_and_keys_are_limited_by_who_they_are_not_by_address() {
    let (system, _clock) = System::at_rest(few).await;
    let (_, sari) = system.logged_in(1, &[Role::Customer]);
    let (_, budi) = system.logged_in(2, &[Role::Customer]);
    for _ in 0..5 {
        assert_eq!(system.status_as(&sari, "/v1/orders").await, 200);
    }
    assert_eq!(system.status_as(&sari, "/v1/orders").await, 429);
    assert_eq!(system.status_as(&budi, "/v1/orders").await, 200);
    assert_eq!(system.get("/v1/orders").await.status(), 200);
}

#[tokio::test]
async fn a_key_carries_its_own_limit_or_none() {
    let (system, _clock) = System::at_rest(few).await;
    let give = |n: u8, rate_limit| {
        let secret = format!("pasar_sk_{n}");
        system.users.give_key(
            &secret,
            VerifiedApiKey {
                user_id: UserId::from_bytes([9; 16]),
                api_key_id: ApiKeyId::from_bytes([n; 16]),
                roles: vec![Role::Kiosk],
                scopes: Vec::new(),
                rate_limit: Some(rate_limit),
            },
        );
        secret
    };
    let own = give(1, RateLimit::PerMinute(7));
    let unlimited = give(2, RateLimit::Unlimited);
    for _ in 0..7 {
        assert_eq!(system.status_as(&own, "/v1/orders").await, 200);
    }
    let refused = system.get_as(&own, "/v1/orders").await;
    assert_eq!(refused.headers()["ratelimit-policy"], "\"key\";q=7;w=60");
    assert_eq!(refused.status(), 429);
    for _ in 0..30 {
        let response = system.get_as(&unlimited, "/v1/orders").await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn passwords_are_tried_at_a_slower_rate() {
    let (system, _clock) = System::at_rest(few).await;
    let try_password = async || {
        let body = json!({ "email": "a@b.c", "password": "wrong" });
        system
            .request(Method::POST, "/v1/auth/login")
            .json(&body)
            .send()
            .await
            .unwrap()
    };
    assert_eq!(try_password().await.status(), 401);
    assert_eq!(try_password().await.status(), 401);
    let refused = try_password().await;
    assert_eq!(refused.headers()["ratelimit-policy"], "\"login\";q=2;w=60");
    assert_eq!(refused.status(), 429);
}

#[tokio::test]
async fn guessing_credentials_uses_up_the_strangers_quota_without_asking_users() {
    let (system, _clock) = System::at_rest(few).await;
    let (_, good) = system.logged_in(1, &[Role::Customer]);
    assert_eq!(system.status_as(&good, "/v1/orders").await, 200);
    for n in 0..3 {
        assert_eq!(
            system
                .status_as(&format!("pasar_sk_guess{n}"), "/v1/orders")
                .await,
            401
        );
    }
    let asked = system
        .users
        .asked_keys
        .load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(system.status_as("pasar_sk_guess3", "/v1/orders").await, 429);
    assert_eq!(
        system
            .users
            .asked_keys
            .load(std::sync::atomic::Ordering::SeqCst),
        asked
    );
    assert_eq!(
        system.status_as(&good, "/v1/orders").await,
        200,
        "who is known goes on"
    );
}

#[tokio::test]
async fn probes_are_never_limited_and_unknown_paths_are() {
    let (system, _clock) = System::at_rest(few).await;
    for _ in 0..10 {
        assert_eq!(system.get("/healthz").await.status(), 200);
        assert_eq!(system.get("/readyz").await.status(), 200);
    }
    for _ in 0..3 {
        assert_eq!(system.get("/v1/nothing").await.status(), 404);
    }
    assert_eq!(system.get("/v1/nothing").await.status(), 429);
}
