//! Access tokens: what is believed, for how long, and what is not.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use pasar_contracts::{
    api::users::Role,
    events::users::{SessionEnd, SessionEnded, UserDeleted, UserRolesChanged},
};
use pasar_types::id::UserId;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{
    System, eventually, problem, problem_of,
    signer::{Signer, encode, message},
};

#[tokio::test]
async fn a_good_token_is_an_identity() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer, Role::Staff]);
    let seen: Value = system
        .get_as(&token, "/v1/orders/echo")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        seen["actor"],
        format!("user:{}", UserId::from_bytes([1; 16]))
    );
    assert_eq!(seen["roles"], json!(["customer", "staff"]));
    assert_eq!(seen["session"], session.to_string());
}

#[tokio::test]
async fn a_token_is_verified_once_and_then_remembered() {
    let system = System::start().await;
    let (_, token) = system.logged_in(1, &[Role::Customer]);
    let asked_before = system.users.asked_jwks.load(SeqCst);
    for _ in 0..20 {
        assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    }
    assert_eq!(system.users.asked_sessions.load(SeqCst), 1);
    assert_eq!(system.users.asked_jwks.load(SeqCst), asked_before);
}

#[tokio::test]
async fn forged_tokens_are_refused_whatever_they_try() {
    let system = System::start().await;
    let (_, good) = system.logged_in(1, &[Role::Admin]);
    assert_eq!(system.status_as(&good, "/v1/orders").await, 200);
    let claims = system.claims(1, &[Role::Admin]);
    let header = system.signer.header();
    let mallory = Signer::new(66, &system.signer.key_id);
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    let parts: Vec<_> = good.split('.').collect();
    let mac = |algorithm, name: &str| {
        let text = message(&with("alg", json!(name)), &claims);
        let key = hmac::Key::new(algorithm, system.signer.public());
        format!(
            "{text}.{}",
            encode(hmac::sign(&key, text.as_bytes()).as_ref())
        )
    };
    let none = message(&with("alg", json!("none")), &claims);
    let (mallory_jwk, jwks_url) = (
        serde_json::to_value(mallory.jwk()).unwrap(),
        json!("https://evil.example/jwks"),
    );
    let attacks = [
        ("alg none without signature", format!("{none}.")),
        (
            "alg none with the good signature",
            format!("{none}.{}", parts[2]),
        ),
        ("HS256 with the public key", mac(hmac::HMAC_SHA256, "HS256")),
        ("HS512 with the public key", mac(hmac::HMAC_SHA512, "HS512")),
        ("another key under our kid", mallory.sign(&claims)),
        (
            "jwk in the header",
            mallory.sign_with(&with("jwk", mallory_jwk), &claims),
        ),
        (
            "jku in the header",
            mallory.sign_with(&with("jku", jwks_url.clone()), &claims),
        ),
        (
            "x5u in the header",
            mallory.sign_with(&with("x5u", jwks_url), &claims),
        ),
        (
            "kid of a file",
            mallory.sign_with(&with("kid", json!("../../dev/null")), &claims),
        ),
        (
            "kid of a query",
            mallory.sign_with(&with("kid", json!("' OR 1=1 --")), &claims),
        ),
        (
            "kid as a list",
            system
                .signer
                .sign_with(&with("kid", json!(["first"])), &claims),
        ),
        (
            "no kid",
            system
                .signer
                .sign_with(&json!({ "alg": "EdDSA", "typ": "at+jwt" }), &claims),
        ),
        (
            "typ of another token",
            system.signer.sign_with(&with("typ", json!("JWT")), &claims),
        ),
        (
            "no typ",
            system
                .signer
                .sign_with(&json!({ "alg": "EdDSA", "kid": "first" }), &claims),
        ),
        (
            "alg in another case",
            system
                .signer
                .sign_with(&with("alg", json!("eddsa")), &claims),
        ),
        (
            "a critical extension",
            system
                .signer
                .sign_with(&with("crit", json!(["exp"])), &claims),
        ),
        ("four parts", format!("{good}.{}", parts[2])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("padding", format!("{good}=")),
        (
            "another payload",
            format!("{}.{}.{}", parts[0], encode(b"{}"), parts[2]),
        ),
        (
            "a broken signature",
            format!("{}.{}.{}", parts[0], parts[1], encode(&[0; 64])),
        ),
        ("nonsense", "nonsense".to_owned()),
        ("empty", String::new()),
    ];
    for (name, token) in attacks {
        let response = system.get_as(&token, "/v1/orders").await;
        assert!(
            response.headers().contains_key("www-authenticate"),
            "{name}"
        );
        assert_eq!(
            problem_of(response).await,
            problem(401, "unauthenticated"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn ignored_header_fields_do_not_harm_a_good_token() {
    let system = System::start().await;
    system.logged_in(1, &[Role::Customer]);
    let mut header = system.signer.header();
    header["jku"] = json!("https://evil.example/jwks");
    let token = system
        .signer
        .sign_with(&header, &system.claims(1, &[Role::Customer]));
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
}

#[tokio::test]
async fn claims_that_are_wrong_missing_or_of_another_kind_are_refused() {
    let (system, _clock) = System::at_rest(|_| {}).await;
    system.logged_in(1, &[Role::Customer]);
    let good = system.claims(1, &[Role::Customer]);
    let now = good["iat"].as_i64().unwrap();
    let wrong = [
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["pasar", "other"])),
        ("sub", json!("ord_01h455vb4pex5vsknk084sn02q")),
        ("sid", Value::Null),
        ("exp", json!((now + 600).to_string())),
        ("exp", Value::Null),
        ("exp", json!(now - 6)),
        ("exp", json!(1e300)),
        ("iat", json!(now + 60)),
        ("iat", json!("now")),
        ("nbf", json!(now + 60)),
        ("nbf", json!((now - 60).to_string())),
        ("roles", json!("admin")),
        ("roles", json!(["root"])),
    ];
    for (name, value) in wrong {
        let mut claims = good.clone();
        match value {
            Value::Null => {
                claims.as_object_mut().unwrap().remove(name);
            }
            ref value => claims[name] = value.clone(),
        }
        let token = system.signer.sign(&claims);
        assert_eq!(
            system.status_as(&token, "/v1/orders").await,
            401,
            "{name} = {value}"
        );
    }
    let mut later = good.clone();
    later["nbf"] = json!(now - 60);
    assert_eq!(
        system
            .status_as(&system.signer.sign(&later), "/v1/orders")
            .await,
        200
    );
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_says_so() {
    let (system, clock) = System::at_rest(|_| {}).await;
    let (_, token) = system.logged_in(1, &[Role::Customer]);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    clock.advance(Duration::from_secs(604));
    assert_eq!(
        system.status_as(&token, "/v1/orders").await,
        200,
        "within the leeway"
    );
    clock.advance(Duration::from_secs(2));
    assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
}

#[tokio::test]
async fn a_token_of_a_session_that_ended_before_is_refused() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    system.users.end_session(session);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_remembered_tokens_at_once() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    let (_, other) = system.logged_in(2, &[Role::Customer]);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    assert_eq!(system.status_as(&other, "/v1/orders").await, 200);
    system.users.end_session(session);
    system.feed.append(&SessionEnded {
        user_id: UserId::from_bytes([1; 16]),
        session_id: session,
        reason: SessionEnd::LoggedOut,
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while system.status_as(&token, "/v1/orders").await != 401 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the token outlived its session"
        );
    }
    assert_eq!(system.status_as(&other, "/v1/orders").await, 200);
    assert_eq!(
        system.users.asked_sessions.load(SeqCst),
        3,
        "the other one was not asked for again"
    );
}

#[tokio::test]
async fn without_a_feed_the_end_of_a_session_is_noticed_within_ten_seconds() {
    let (system, clock) = System::at_rest(|setup| setup.follows = false).await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    system.users.end_session(session);
    clock.advance(Duration::from_secs(10));
    assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
}

#[tokio::test]
async fn changed_roles_count_for_tokens_that_were_made_before() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    let roles = async || {
        let seen: Value = system
            .get_as(&token, "/v1/orders/echo")
            .await
            .json()
            .await
            .unwrap();
        seen["roles"].clone()
    };
    assert_eq!(roles().await, json!(["customer"]));
    let user_id = UserId::from_bytes([1; 16]);
    system.users.begin_session(session, user_id, &[Role::Staff]);
    system.feed.append(&UserRolesChanged {
        user_id,
        roles: vec![Role::Staff],
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while roles().await != json!(["staff"]) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the old roles still count"
        );
    }
}

#[tokio::test]
async fn a_deleted_users_tokens_end() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    system.users.end_session(session);
    system.feed.append(&UserDeleted {
        user_id: UserId::from_bytes([1; 16]),
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while system.status_as(&token, "/v1/orders").await != 401 {
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[tokio::test]
async fn a_new_signing_key_is_fetched_once_and_unknown_ones_do_not_flood_users() {
    let (system, clock) = System::at_rest(|_| {}).await;
    system.logged_in(1, &[Role::Customer]);
    let asked = || system.users.asked_jwks.load(SeqCst);
    let before = asked();
    let second = Signer::new(8, "second");
    system.users.keys.lock().push(second.jwk());
    let token = second.sign(&system.claims(1, &[Role::Customer]));
    let (one, two) = tokio::join!(
        system.status_as(&token, "/v1/orders"),
        system.status_as(&token, "/v1/orders/echo")
    );
    assert_eq!((one.as_u16(), two.as_u16()), (200, 200));
    assert_eq!(asked(), before + 1);

    for n in 0..20 {
        let unknown = Signer::new(9, &format!("unknown{n}"));
        let token = unknown.sign(&system.claims(1, &[Role::Customer]));
        assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
    }
    assert_eq!(asked(), before + 1, "asked not long ago");
    clock.advance(Duration::from_secs(6));
    let unknown = Signer::new(9, "yet another").sign(&system.claims(1, &[Role::Customer]));
    assert_eq!(system.status_as(&unknown, "/v1/orders").await, 401);
    assert_eq!(asked(), before + 2);
}

#[tokio::test]
async fn a_key_that_users_lists_no_more_is_refused_also_where_it_was_remembered() {
    let system = System::with(|setup| setup.config.credentials.signing_keys_ms = 20).await;
    let (_, token) = system.logged_in(1, &[Role::Customer]);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    let second = Signer::new(8, "second");
    *system.users.keys.lock() = vec![second.jwk()];
    let asked = system.users.asked_jwks.load(SeqCst);
    eventually("reading the keys", || {
        system.users.asked_jwks.load(SeqCst) > asked + 1
    })
    .await;
    assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
}

#[tokio::test]
async fn tokens_are_accepted_by_signature_while_users_cannot_be_asked_about_the_session() {
    let system = System::start().await;
    let (_, token) = system.logged_in(1, &[Role::Customer]);
    system.users.unavailable.store(true, SeqCst);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 200);
    let unknown = Signer::new(9, "unknown").sign(&system.claims(1, &[Role::Customer]));
    let answer = problem_of(system.get_as(&unknown, "/v1/orders").await).await;
    assert_eq!(answer, problem(503, "unavailable"));
}
