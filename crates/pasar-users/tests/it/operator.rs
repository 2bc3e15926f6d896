//! What the binary does through the store.

use std::time::Duration;

use pasar_contracts::api::users::{RateLimit, Role};
use pasar_users::{
    config::Config,
    operator::{
        MachineKey, OperatorError, ensure_admin, provision_key, reset_password, seed_users,
    },
};
use serde_json::json;

use crate::house::{House, PASSWORD};

async fn admin_login(house: &House, password: &str) -> u16 {
    let body = json!({ "email": "admin@localhost", "password": password });
    house
        .client
        .post("/v1/auth/login")
        .json(&body)
        .send()
        .await
        .status
        .as_u16()
}

#[tokio::test]
async fn the_first_start_makes_an_admin_and_tells_the_password_once() {
    let house = House::open().await;
    let config = Config::default();
    let first = ensure_admin(&house.store, &config, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.email, "admin@localhost");
    let password = first.generated_password.unwrap();
    assert_eq!(password.len(), 23, "four groups of five");
    assert_eq!(admin_login(&house, &password).await, 200);
    assert!(
        ensure_admin(&house.store, &config, None)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        ensure_admin(&house.store, &config, Some("another one"))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(admin_login(&house, &password).await, 200);
}

#[tokio::test]
async fn the_first_admins_password_can_be_given() {
    let house = House::open().await;
    let config = Config::default();
    let weak = ensure_admin(&house.store, &config, Some("short")).await;
    assert!(matches!(
        weak,
        Err(OperatorError::Invalid {
            what: "password",
            ..
        })
    ));
    let first = ensure_admin(&house.store, &config, Some(PASSWORD))
        .await
        .unwrap()
        .unwrap();
    assert!(first.generated_password.is_none());
    assert_eq!(admin_login(&house, PASSWORD).await, 200);
}

#[tokio::test]
async fn a_machines_key_is_the_same_across_restarts() {
    let house = House::open().await;
    let wanted = |api_key| MachineKey {
        machine: "demo staff",
        roles: &[Role::Staff],
        scopes: &[],
        rate_limit: Some(RateLimit::Unlimited),
        api_key,
    };
    let key = provision_key(&house.store, wanted(None)).await.unwrap();
    let house = house.restarted().await;
    let head = house.store.head();
    assert_eq!(
        provision_key(&house.store, wanted(Some(&key)))
            .await
            .unwrap(),
        key
    );
    assert_eq!(house.store.head(), head);
    let verified = house.verify_key(&key).await.unwrap();
    assert_eq!(verified.roles, [Role::Staff]);
    assert_eq!(verified.rate_limit, Some(RateLimit::Unlimited));
    let unreadable = provision_key(&house.store, wanted(Some("nonsense"))).await;
    assert!(matches!(
        unreadable,
        Err(OperatorError::Invalid {
            what: "API key",
            ..
        })
    ));
}

#[tokio::test]
async fn a_reset_gives_a_new_password_and_ends_all_sessions() {
    let house = House::open().await;
    house.register("sari").await;
    let tokens = house.login("sari").await;
    let config = Config::default();
    let email = " Sari@Example.com";
    let password = reset_password(&house.store, &config, email, None)
        .await
        .unwrap()
        .unwrap();
    house.refresh(&tokens.refresh_token).await.expect(401);
    house.try_login("sari", PASSWORD).await.expect(401);
    house.try_login("sari", &password).await.expect(200);
    let unknown = reset_password(&house.store, &config, "nobody@example.com", None).await;
    assert!(matches!(unknown, Err(OperatorError::UnknownEmail(_))));
}

#[tokio::test]
async fn seeded_users_can_order_at_once() {
    let house = House::open().await;
    let seeded = seed_users(&house.store, 1_201).await.unwrap();
    assert_eq!(seeded.len(), 1_201);
    for one in seeded.iter().step_by(400) {
        let verified = house.verify_key(&one.api_key).await.unwrap();
        assert_eq!(
            (verified.user_id, verified.roles),
            (one.user_id, vec![Role::Customer])
        );
        assert_eq!(verified.rate_limit, Some(RateLimit::Unlimited));
    }
}

#[tokio::test]
async fn sessions_that_nobody_refreshes_are_swept_away() {
    let house = House::open().await;
    house.register("sari").await;
    house.login("sari").await;
    let ended = async {
        while !house.event_types().contains(&"session.ended.v1".to_owned()) {
            house.host.advance(Duration::from_secs(12 * 60 * 60));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(pasar_testkit::probe::PATIENCE, ended)
        .await
        .unwrap();
}
