//! Logging in, and what slows down those who guess.

use std::time::{Duration, Instant};

use pasar_contracts::api::users::Tokens;
use pasar_users::config::Config;
use serde_json::json;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn a_login_gives_tokens_that_are_not_kept_by_caches() {
    let house = House::open().await;
    house.register("sari").await;
    let answer = house.try_login("sari", PASSWORD).await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.value();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert!(
        body["refresh_token"]
            .as_str()
            .unwrap()
            .starts_with("pasar_rt_")
    );
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let house = House::open().await;
    house.register("sari").await;
    let known = house.try_login("sari", "wrong password").await;
    let unknown = house.try_login("nobody", "wrong password").await;
    assert_eq!(known.status.as_u16(), 401);
    assert_eq!(known.problem(), "invalid-credentials");
    assert_eq!(known.status, unknown.status);
    assert_eq!(known.body, unknown.body);
    assert_eq!(known.headers, unknown.headers);
}

/// Without a hash for the unknown, their answer would be there in a twentieth of the time.
#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_take_as_long() {
    let house = House::open().await;
    house.register("sari").await;
    let answered = async |name: &str| {
        let began = Instant::now();
        house.try_login(name, "wrong password").await.expect(401);
        began.elapsed()
    };
    // The quickest of each, by turns: what else the machine does only ever adds.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        known = known.min(answered("sari").await);
        unknown = unknown.min(answered("nobody").await);
    }
    assert!(unknown > known / 3, "unknown {unknown:?}, known {known:?}");
    assert!(known > unknown / 3, "unknown {unknown:?}, known {known:?}");
}

#[tokio::test]
async fn guesses_at_one_account_have_to_wait_and_then_may_go_on() {
    let house = House::open().await;
    house.register("sari").await;
    for _ in 0..10 {
        house.try_login("sari", "wrong password").await.expect(401);
    }
    let refused = house.try_login("sari", PASSWORD).await.expect(429);
    assert_eq!(refused.problem(), "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    house.host.advance(Duration::from_secs(1));
    house.try_login("sari", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_unknown_account_is_throttled_like_a_known_one() {
    let house = House::open().await;
    house.register("sari").await;
    let mut answers = Vec::new();
    for name in ["sari", "nobody"] {
        for _ in 0..10 {
            house.try_login(name, "wrong password").await.expect(401);
        }
        let refused = house.try_login(name, "wrong password").await.expect(429);
        answers.push((refused.headers, refused.body));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn strangers_do_not_lock_the_owner_out() {
    let house = House::open().await;
    house.register("sari").await;
    let tokens: Tokens = house
        .login_from("198.51.100.7", "sari", PASSWORD)
        .await
        .expect(200)
        .json();
    for number in 0..100 {
        let address = format!("203.0.{number}.1");
        house
            .login_from(&address, "sari", "wrong password")
            .await
            .expect(401);
    }
    house
        .login_from("203.0.113.200", "sari", PASSWORD)
        .await
        .expect(429);
    house
        .login_from("198.51.100.99", "sari", PASSWORD)
        .await
        .expect(200);
    house.refresh(&tokens.refresh_token).await.expect(200);
}

#[tokio::test]
async fn parallel_guesses_are_counted_before_they_are_looked_at() {
    let house = House::open().await;
    house.register("sari").await;
    let body = json!({ "email": "sari@example.com", "password": "wrong password" });
    let calls: Vec<_> = (0..40)
        .map(|_| tokio::spawn(house.client.post("/v1/auth/login").json(&body).send()))
        .collect();
    let mut guesses = 0;
    for call in calls {
        guesses += usize::from(call.await.unwrap().status.as_u16() == 401);
    }
    assert_eq!(guesses, 10);
}

#[tokio::test]
async fn more_logins_than_the_queue_holds_are_told_to_come_again() {
    let mut config = Config::default();
    config.password_hash.threads = 1;
    config.password_hash.queue = 1;
    let house = House::with(config).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        house.register(name).await;
    }
    let calls: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .map(|name| {
            let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
            tokio::spawn(house.client.post("/v1/auth/login").json(&body).send())
        })
        .collect();
    let mut served = 0;
    let mut refused = 0;
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status.as_u16() {
            200 => served += 1,
            503 => {
                assert_eq!(answer.problem(), "overloaded");
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            status => panic!("{status}: {}", answer.text()),
        }
    }
    assert!(
        served >= 2 && refused >= 1,
        "{served} served, {refused} refused"
    );
    house.login("a").await;
}

#[tokio::test]
async fn a_hash_of_old_parameters_is_renewed_by_the_next_login() {
    let house = House::open().await;
    house.register("sari").await;
    let house = house
        .restarted_with(|config| config.password_hash.iterations = 3)
        .await;
    let hash = || {
        let read = |row: &pasar_store::tx::Row<'_>| row.get::<String>(0);
        let sql = "SELECT password_hash FROM users WHERE email = 'sari@example.com'";
        house
            .store
            .read_now(|tx| tx.query_one(sql, &[], read))
            .unwrap()
    };
    assert!(hash().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    house.login("sari").await;
    assert!(hash().starts_with("$argon2id$v=19$m=19456,t=3,p=1$"));
    house.login("sari").await;
}
