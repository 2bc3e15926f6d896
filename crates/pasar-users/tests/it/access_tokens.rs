//! Access tokens as others check them: against the published keys and nothing else.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header};
use pasar_contracts::api::users::{Role, Tokens};
use pasar_testkit::host::PUBLIC_URL;
use pasar_users::operator::{Rotation, rotate_signing_key};
use serde_json::{Value, json};

use crate::house::House;

fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

async fn logged_in(house: &House) -> Tokens {
    house.register("sari").await;
    house.login("sari").await
}

#[tokio::test]
async fn a_token_says_what_the_contract_says() {
    let house = House::open().await;
    let token = logged_in(&house).await.access_token;
    let header = part(&token, 0);
    let kid = house.jwks().await.keys[0].kid.clone();
    assert_eq!(
        header,
        json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": kid })
    );
    let claims = part(&token, 1);
    let (issued, ends) = (
        claims["iat"].as_i64().unwrap(),
        claims["exp"].as_i64().unwrap(),
    );
    assert_eq!(ends - issued, 600);
    assert_eq!(claims["iss"], PUBLIC_URL);
    assert_eq!(claims["aud"], "pasar");
    assert_eq!(claims["roles"], json!(["customer"]));
    assert!(claims["sub"].as_str().unwrap().starts_with("usr_"));
    assert!(claims["sid"].as_str().unwrap().starts_with("ses_"));
    assert_eq!(
        claims.as_object().unwrap().len(),
        7,
        "no personal data: {claims}"
    );
}

#[tokio::test]
async fn only_public_keys_are_published() {
    let house = House::open().await;
    let answer = house
        .client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(200);
    let body = answer.value();
    let key = body["keys"][0].as_object().unwrap();
    let mut members: Vec<_> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
}

/// A header, claims and a signature of one's own choosing.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

#[tokio::test]
async fn forged_tokens_do_not_stand_up_to_the_published_keys() {
    let house = House::open().await;
    let token = logged_in(&house).await.access_token;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let kid = header["kid"].as_str().unwrap();
    house.check(&token).await.unwrap();

    let signature = BASE64_URL_SAFE_NO_PAD
        .decode(token.rsplit('.').next().unwrap())
        .unwrap();
    let with = |value: &Value, field: &str, new: Value| {
        let mut value = value.clone();
        value[field] = new;
        value
    };
    let mut tries = vec![
        forged(&with(&header, "alg", json!("none")), &claims, b""),
        forged(&with(&header, "alg", json!("HS256")), &claims, &signature),
        forged(&with(&header, "alg", json!("RS256")), &claims, &signature),
        forged(&with(&header, "typ", json!("JWT")), &claims, &signature),
        forged(
            &with(&header, "kid", json!("../../keys/other")),
            &claims,
            &signature,
        ),
        forged(
            &with(&header, "kid", json!("' OR 1=1 --")),
            &claims,
            &signature,
        ),
        forged(
            &header,
            &with(&claims, "roles", json!(["admin"])),
            &signature,
        ),
        forged(
            &header,
            &with(&claims, "exp", json!("9999999999")),
            &signature,
        ),
        forged(
            &header,
            &with(&claims, "iss", json!("https://evil.test")),
            &signature,
        ),
        forged(&header, &with(&claims, "aud", json!("other")), &signature),
    ];
    // The public key as an HMAC secret.
    let x = &house.jwks().await.keys[0].x;
    let public_key = BASE64_URL_SAFE_NO_PAD.decode(x).unwrap();
    for secret in [public_key.as_slice(), x.as_bytes()] {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(kid.to_owned());
        let key = EncodingKey::from_secret(secret);
        tries.push(jsonwebtoken::encode(&header, &claims, &key).unwrap());
    }
    assert_eq!(tries.len(), 12);
    for token in tries {
        assert!(house.check(&token).await.is_err(), "{token}");
    }
}

#[tokio::test]
async fn a_token_by_itself_opens_nothing_here() {
    let house = House::open().await;
    let tokens = logged_in(&house).await;
    let bearer = format!("Bearer {}", tokens.access_token);
    let call = house
        .client
        .get("/v1/users/me")
        .header("authorization", &bearer);
    call.send().await.expect(401);
}

#[tokio::test]
async fn a_refreshed_token_has_the_roles_of_now() {
    let house = House::open().await;
    let user = house.register("sari").await;
    let tokens = house.login("sari").await;
    house
        .give_roles(user.id, &[Role::Customer, Role::Staff])
        .await;
    let next: Tokens = house
        .refresh(&tokens.refresh_token)
        .await
        .expect(200)
        .json();
    let claims = house.check(&next.access_token).await.unwrap();
    assert_eq!(claims.roles, [Role::Customer, Role::Staff]);
    let session = house.session_status(claims.sid).await;
    assert_eq!(session.roles, [Role::Customer, Role::Staff]);
}

#[tokio::test]
async fn after_a_planned_rotation_both_keys_are_good_until_the_old_tokens_end() {
    let house = House::open().await;
    let old = logged_in(&house).await.access_token;
    let old_kid = decode_header(&old).unwrap().kid.unwrap();
    let keyring = &house.host.host.keyring;
    let new_kid = rotate_signing_key(&house.store, keyring, Rotation::Planned)
        .await
        .unwrap();

    let kids = |jwks: pasar_contracts::api::users::Jwks| {
        jwks.keys.into_iter().map(|key| key.kid).collect::<Vec<_>>()
    };
    let house = house.restarted().await;
    assert_eq!(kids(house.jwks().await), [old_kid.clone(), new_kid.clone()]);
    let still_old = house.login("sari").await.access_token;
    assert_eq!(
        decode_header(&still_old).unwrap().kid,
        Some(old_kid.clone())
    );

    house.host.advance(Duration::from_secs(5 * 60));
    let new = house.login("sari").await.access_token;
    assert_eq!(decode_header(&new).unwrap().kid, Some(new_kid.clone()));
    house.check(&new).await.unwrap();
    house.check(&still_old).await.unwrap();

    house.host.advance(Duration::from_secs(2 * 60 * 60));
    assert_eq!(kids(house.jwks().await), [new_kid]);
    assert_eq!(house.check(&old).await, Err("unknown kid".to_owned()));
}

#[tokio::test]
async fn after_a_leak_every_token_is_refused() {
    let house = House::open().await;
    let token = logged_in(&house).await.access_token;
    let keyring = &house.host.host.keyring;
    rotate_signing_key(&house.store, keyring, Rotation::Compromised)
        .await
        .unwrap();
    let house = house.restarted().await;
    assert_eq!(house.check(&token).await, Err("unknown kid".to_owned()));
    let new = house.login("sari").await.access_token;
    house.check(&new).await.unwrap();
}

/// The task that looks for keys runs beside the test: it is waited for, with a deadline.
#[tokio::test]
async fn a_running_service_takes_up_a_key_that_another_process_made() {
    let house = House::open().await;
    logged_in(&house).await;
    let keyring = &house.host.host.keyring;
    let kid = rotate_signing_key(&house.store, keyring, Rotation::Compromised)
        .await
        .unwrap();
    let taken_up = async {
        while house.jwks().await.keys[0].kid != kid {
            house.host.advance(Duration::from_secs(30));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(pasar_testkit::probe::PATIENCE, taken_up)
        .await
        .unwrap();
}
