//! API keys, and what the gateway is told about them.

use std::time::Duration;

use pasar_chassis::identity::Identity;
use pasar_contracts::api::users::{ApiKey, RateLimit, Role};
use serde_json::{Value, json};

use crate::house::{House, gateway};

fn wanted() -> Value {
    json!({ "name": "till 2", "roles": ["customer"], "scopes": ["subscribe:orders.*"] })
}

async fn try_create(house: &House, owner: &Identity, body: &Value) -> (u16, String) {
    let call = house
        .client
        .post("/v1/api-keys")
        .as_(owner.clone())
        .json(body);
    let answer = call.send().await;
    (answer.status.as_u16(), answer.problem())
}

#[tokio::test]
async fn a_keys_secret_is_shown_once_and_opens_the_door() {
    let house = House::open().await;
    let (user, sari) = house.person("sari", &[Role::Customer]).await;
    let created = house.create_key(&sari, &wanted()).await;
    assert!(created.secret.starts_with("pasar_sk_"));
    let verified = house.verify_key(&created.secret).await.unwrap();
    assert_eq!(verified.user_id, user.id);
    assert_eq!(verified.api_key_id, created.api_key.id);
    assert_eq!(verified.roles, [Role::Customer]);
    assert_eq!(verified.scopes, ["subscribe:orders.*"]);
    assert_eq!(verified.rate_limit, None);

    let path = format!("/v1/api-keys/{}", created.api_key.id);
    let shown = house
        .client
        .get(&path)
        .as_(sari.clone())
        .send()
        .await
        .expect(200);
    let listed = house
        .client
        .get("/v1/api-keys")
        .as_(sari)
        .send()
        .await
        .expect(200);
    let (_, secret) = created.secret.rsplit_once('_').unwrap();
    for text in [shown.text(), listed.text()] {
        assert!(text.contains("till 2") && !text.contains(secret), "{text}");
    }
    let key: ApiKey = shown.json();
    assert!(key.last_used_at.is_some());
}

#[tokio::test]
async fn what_is_not_a_valid_key_opens_nothing() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let first = house.create_key(&sari, &wanted()).await.secret;
    let second = house.create_key(&sari, &wanted()).await.secret;
    let id_of = |key: &str| key.split('_').nth(2).unwrap().to_owned();
    let crossed = first.replace(&id_of(&first), &id_of(&second));
    let unknown = first.replace(&id_of(&first), "01h455vb4pex5vsknk084sn02q");
    for key in [
        "",
        "pasar_sk_",
        "nonsense",
        &crossed,
        &unknown,
        &first[..first.len() - 1],
    ] {
        assert_eq!(house.verify_key(key).await, None, "{key}");
    }
    assert!(house.verify_key(&first).await.is_some());
}

#[tokio::test]
async fn a_revoked_key_opens_nothing() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let (_, budi) = house.person("budi", &[Role::Customer]).await;
    let created = house.create_key(&sari, &wanted()).await;
    let path = format!("/v1/api-keys/{}", created.api_key.id);
    house
        .client
        .delete(&path)
        .as_(budi.clone())
        .send()
        .await
        .expect(404);
    house.client.get(&path).as_(budi).send().await.expect(404);
    assert!(house.verify_key(&created.secret).await.is_some());
    for _ in 0..2 {
        house
            .client
            .delete(&path)
            .as_(sari.clone())
            .send()
            .await
            .expect(204);
    }
    assert_eq!(house.verify_key(&created.secret).await, None);
    assert!(
        house
            .event_types()
            .contains(&"api_key.revoked.v1".to_owned())
    );
}

#[tokio::test]
async fn with_a_key_go_the_keys_that_it_made() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let stolen = house.create_key(&sari, &wanted()).await;
    let other = house.create_key(&sari, &wanted()).await;
    let thief = house.key_identity(&stolen.secret).await;
    let second = house.create_key(&thief, &wanted()).await;
    let thief = house.key_identity(&second.secret).await;
    let third = house.create_key(&thief, &wanted()).await;

    let path = format!("/v1/api-keys/{}", stolen.api_key.id);
    house
        .client
        .delete(&path)
        .as_(sari)
        .send()
        .await
        .expect(204);
    for key in [stolen, second, third] {
        assert_eq!(house.verify_key(&key.secret).await, None);
    }
    assert!(house.verify_key(&other.secret).await.is_some());
}

#[tokio::test]
async fn an_admin_finds_and_revokes_anybodys_key() {
    let house = House::open().await;
    let (user, sari) = house.person("sari", &[Role::Customer]).await;
    let admin = house.first_admin().await;
    let created = house.create_key(&sari, &wanted()).await;
    let list = format!("/v1/api-keys?user_id={}", user.id);
    let listed = house
        .client
        .get(&list)
        .as_(admin.clone())
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let path = format!("/v1/api-keys/{}", created.api_key.id);
    house
        .client
        .delete(&path)
        .as_(admin)
        .send()
        .await
        .expect(204);
    assert_eq!(house.verify_key(&created.secret).await, None);
}

#[tokio::test]
async fn a_key_loses_what_its_owner_loses() {
    let house = House::open().await;
    house.first_admin().await;
    let (user, sari) = house.person("sari", &[Role::Customer, Role::Staff]).await;
    let key = json!({ "name": "desk", "roles": ["staff", "customer"] });
    let key = house.create_key(&sari, &key).await.secret;
    let roles = async || house.verify_key(&key).await.unwrap().roles;
    assert_eq!(roles().await, [Role::Customer, Role::Staff]);
    house.give_roles(user.id, &[Role::Customer]).await;
    assert_eq!(roles().await, [Role::Customer]);
}

#[tokio::test]
async fn nobody_makes_a_key_that_can_do_more_than_they_can() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let forbidden = (403, "forbidden".to_owned());
    let admin = json!({ "name": "x", "roles": ["admin"] });
    assert_eq!(try_create(&house, &sari, &admin).await, forbidden);
    let unlimited = json!({ "name": "x", "roles": ["customer"], "rate_limit": "unlimited" });
    assert_eq!(try_create(&house, &sari, &unlimited).await, forbidden);

    let narrow = house.create_key(&sari, &wanted()).await.secret;
    let narrow = house.key_identity(&narrow).await;
    let wider = json!({ "name": "x", "roles": ["customer"], "scopes": ["publish:client"] });
    assert_eq!(try_create(&house, &narrow, &wider).await, forbidden);
    let same = json!({ "name": "x", "roles": ["customer"], "scopes": ["subscribe:orders.ready"] });
    house.create_key(&narrow, &same).await;
}

#[tokio::test]
async fn a_key_of_few_roles_does_not_make_one_of_all_that_its_owner_has() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let (_, ani) = house.person("ani", &[Role::Customer, Role::Admin]).await;
    assert!(admin.has(Role::Admin));
    let small = json!({ "name": "small", "roles": ["customer"] });
    let small = house.create_key(&ani, &small).await.secret;
    let small = house.key_identity(&small).await;
    let large = json!({ "name": "large", "roles": ["admin"] });
    assert_eq!(
        try_create(&house, &small, &large).await,
        (403, "forbidden".to_owned())
    );
}

#[tokio::test]
async fn keys_carry_their_own_limit() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let limit = async |limit: Value| {
        let body = json!({ "name": "x", "roles": ["admin"], "rate_limit": limit });
        let key = house.create_key(&admin, &body).await.secret;
        house.verify_key(&key).await.unwrap().rate_limit
    };
    assert_eq!(limit(json!("unlimited")).await, Some(RateLimit::Unlimited));
    assert_eq!(
        limit(json!({ "per_minute": 60_000 })).await,
        Some(RateLimit::PerMinute(60_000))
    );
}

#[tokio::test]
async fn what_cannot_stand_in_a_key_is_refused() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    for body in [
        json!({ "name": "", "roles": ["customer"] }),
        json!({ "name": "x", "roles": [] }),
        json!({ "name": "x", "roles": ["root"] }),
        json!({ "name": "x", "roles": ["customer"], "scopes": ["read:*"] }),
        json!({ "name": "x", "roles": ["customer"], "scopes": vec!["publish:a"; 51] }),
        json!({ "name": "x", "roles": ["customer"], "rate_limit": { "per_minute": 0 } }),
        json!({ "name": "x", "roles": ["customer"], "rate_limit": { "per_minute": -1 } }),
        json!({ "name": "x", "roles": ["customer"], "secret": "mine" }),
        json!({ "name": "x", "roles": ["customer"], "user_id": "usr_01h455vb4pex5vsknk084sn02q" }),
    ] {
        let refused = (422, "validation-failed".to_owned());
        assert_eq!(try_create(&house, &sari, &body).await, refused, "{body}");
    }
}

#[tokio::test]
async fn the_last_use_is_written_down_once_a_minute() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let created = house.create_key(&sari, &wanted()).await;
    let path = format!("/v1/api-keys/{}", created.api_key.id);
    let last_used = async || {
        let shown = house
            .client
            .get(&path)
            .as_(sari.clone())
            .send()
            .await
            .expect(200);
        shown.json::<ApiKey>().last_used_at
    };
    assert_eq!(last_used().await, None);
    house.verify_key(&created.secret).await.unwrap();
    let first = last_used().await.unwrap();
    house.host.advance(Duration::from_secs(59));
    house.verify_key(&created.secret).await.unwrap();
    assert_eq!(last_used().await, Some(first));
    house.host.advance(Duration::from_secs(1));
    house.verify_key(&created.secret).await.unwrap();
    assert_eq!(last_used().await, Some(first + Duration::from_secs(60)));
}

#[tokio::test]
async fn what_the_gateway_asks_nobody_else_is_told() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let session = admin.session.unwrap();
    for identity in [Identity::anonymous(), admin] {
        let body = json!({ "api_key": "pasar_sk_x_y" });
        let call = house
            .client
            .post("/internal/v1/credentials/verify")
            .as_(identity.clone());
        call.json(&body).send().await.expect(404);
        let path = format!("/internal/v1/sessions/{session}");
        house
            .client
            .get(&path)
            .as_(identity)
            .send()
            .await
            .expect(404);
    }
    let unknown = "/internal/v1/sessions/ses_01h455vb4pex5vsknk084sn02q";
    house
        .client
        .get(unknown)
        .as_(gateway())
        .send()
        .await
        .expect(404);
}
