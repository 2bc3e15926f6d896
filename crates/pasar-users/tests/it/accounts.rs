//! What people do with their own account.

use std::time::Duration;

use pasar_contracts::api::users::{Role, Session, User, UserExport};
use pasar_users::operator::{MachineKey, provision_key};
use serde_json::json;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn a_name_is_changed_by_whoever_has_seen_the_present_one() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let me = house
        .client
        .get("/v1/users/me")
        .as_(sari.clone())
        .send()
        .await
        .expect(200);
    assert_eq!(me.header("etag"), Some("\"v1\""));
    let rename = async |name: &str, if_match: &str| {
        let call = house.client.patch("/v1/users/me").as_(sari.clone());
        call.header("if-match", if_match)
            .json(&json!({ "name": name }))
            .send()
            .await
    };
    let renamed = rename("Sari Dewi", "\"v1\"").await.expect(200);
    assert_eq!(renamed.header("etag"), Some("\"v2\""));
    assert_eq!(renamed.json::<User>().name, "Sari Dewi");
    assert_eq!(
        rename("Dewi", "\"v1\"").await.expect(412).problem(),
        "precondition-failed"
    );
    rename("Dewi", "*").await.expect(200);
    rename(" ", "*").await.expect(422);
    for body in [
        json!({}),
        json!({ "name": "x", "roles": ["admin"] }),
        json!({ "email": "x@y.z" }),
    ] {
        let call = house.client.patch("/v1/users/me").as_(sari.clone());
        call.json(&body).send().await.expect(422);
    }
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_ended_one_by_one() {
    let house = House::open().await;
    house.register("sari").await;
    house.login("sari").await;
    house.host.advance(Duration::from_millis(1));
    let other = house.login("sari").await;
    house.host.advance(Duration::from_millis(1));
    let here = house.login("sari").await;
    let sari = house.identity(&here.access_token).await;
    let first = house
        .client
        .get("/v1/sessions?limit=2")
        .as_(sari.clone())
        .send()
        .await
        .expect(200);
    let page = first.value();
    let items: Vec<Session> = serde_json::from_value(page["items"].clone()).unwrap();
    assert_eq!(
        items
            .iter()
            .map(|session| session.current)
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(items[0].source.as_deref(), Some("192.0.2.0/24"));
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    let rest = house
        .client
        .get(next)
        .as_(sari.clone())
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(rest.get("next_cursor").is_none());

    let path = format!("/v1/sessions/{}", items[1].id);
    for _ in 0..2 {
        house
            .client
            .delete(&path)
            .as_(sari.clone())
            .send()
            .await
            .expect(204);
    }
    house.refresh(&other.refresh_token).await.expect(401);
    house.refresh(&here.refresh_token).await.expect(200);
    let left = house
        .client
        .get("/v1/sessions")
        .as_(sari)
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(left["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn sessions_of_others_are_neither_seen_nor_ended() {
    let house = House::open().await;
    let (user, sari) = house.person("sari", &[Role::Customer]).await;
    let (_, budi) = house.person("budi", &[Role::Staff]).await;
    let list = format!("/v1/sessions?user_id={}", user.id);
    house
        .client
        .get(&list)
        .as_(budi.clone())
        .send()
        .await
        .expect(403);
    let path = format!("/v1/sessions/{}", sari.session.unwrap());
    house
        .client
        .delete(&path)
        .as_(budi)
        .send()
        .await
        .expect(404);
    assert!(house.session_status(sari.session.unwrap()).await.live);

    let admin = house.first_admin().await;
    house
        .client
        .get(&list)
        .as_(admin.clone())
        .send()
        .await
        .expect(200);
    house
        .client
        .delete(&path)
        .as_(admin)
        .send()
        .await
        .expect(204);
    assert!(!house.session_status(sari.session.unwrap()).await.live);
}

#[tokio::test]
async fn an_export_holds_all_about_a_person_and_no_secret() {
    let house = House::open().await;
    let (user, sari) = house.person("sari", &[Role::Customer]).await;
    house.register("budi").await;
    let key = house
        .create_key(&sari, &json!({ "name": "till", "roles": ["customer"] }))
        .await;
    let answer = house
        .client
        .get("/v1/users/me/export")
        .as_(sari.clone())
        .send()
        .await
        .expect(200);
    let text = answer.text();
    let export: UserExport = answer.json();
    assert_eq!(export.user, user);
    assert_eq!((export.sessions.len(), export.api_keys.len()), (1, 1));
    assert_eq!(export.audit.len(), 3, "registered, logged in, key created");
    let (_, secret) = key.secret.rsplit_once('_').unwrap();
    for absent in [secret, "argon2", "budi"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let again = house
        .client
        .get("/v1/users/me/export")
        .as_(sari)
        .send()
        .await
        .expect(200);
    assert!(again.text().contains("user.exported"));
}

#[tokio::test]
async fn a_deleted_person_is_gone() {
    let house = House::open().await;
    let (user, sari) = house.person("sari", &[Role::Customer]).await;
    let key = house
        .create_key(&sari, &json!({ "name": "till", "roles": ["customer"] }))
        .await;
    let tokens = house.login("sari").await;
    house
        .client
        .delete("/v1/users/me")
        .as_(sari.clone())
        .send()
        .await
        .expect(204);

    house.try_login("sari", PASSWORD).await.expect(401);
    house.refresh(&tokens.refresh_token).await.expect(401);
    assert_eq!(house.verify_key(&key.secret).await, None);
    let status = house.session_status(sari.session.unwrap()).await;
    assert!(!status.live && status.roles.is_empty());
    for path in ["/v1/users/me", "/v1/users/me/export"] {
        house
            .client
            .get(path)
            .as_(sari.clone())
            .send()
            .await
            .expect(401);
    }
    house
        .client
        .delete("/v1/users/me")
        .as_(sari.clone())
        .send()
        .await
        .expect(401);
    let admin = house.first_admin().await;
    let path = format!("/v1/users/{}", user.id);
    house.client.get(&path).as_(admin).send().await.expect(404);
    assert!(house.event_types().contains(&"user.deleted.v1".to_owned()));
    assert_ne!(house.register("sari").await.id, user.id);
}

#[tokio::test]
async fn deleting_takes_a_fresh_login_and_no_api_key_will_do() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let key = house
        .create_key(&sari, &json!({ "name": "till", "roles": ["customer"] }))
        .await;
    let by_key = house.key_identity(&key.secret).await;
    house
        .client
        .delete("/v1/users/me")
        .as_(by_key)
        .send()
        .await
        .expect(403);
    house.host.advance(Duration::from_secs(15 * 60 + 1));
    house
        .client
        .delete("/v1/users/me")
        .as_(sari)
        .send()
        .await
        .expect(403);
    let fresh = house.login("sari").await;
    let fresh = house.identity(&fresh.access_token).await;
    house
        .client
        .delete("/v1/users/me")
        .as_(fresh)
        .send()
        .await
        .expect(204);
}

#[tokio::test]
async fn the_last_admin_cannot_go() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let refused = house
        .client
        .delete("/v1/users/me")
        .as_(admin)
        .send()
        .await
        .expect(409);
    assert_eq!(refused.problem(), "last-admin");
}

#[tokio::test]
async fn a_machine_has_an_account_and_no_password() {
    let house = House::open().await;
    let wanted = MachineKey {
        machine: "kiosk 1",
        roles: &[Role::Kiosk],
        scopes: &[],
        rate_limit: None,
        api_key: None,
    };
    let key = provision_key(&house.store, wanted).await.unwrap();
    let kiosk = house.key_identity(&key).await;
    let me = house
        .client
        .get("/v1/users/me")
        .as_(kiosk.clone())
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(me["kind"], "machine");
    assert_eq!(me.get("email"), None);
    let body = json!({ "current_password": "", "new_password": "12345678" });
    house
        .client
        .put("/v1/users/me/password")
        .as_(kiosk)
        .json(&body)
        .send()
        .await
        .expect(403);
}

#[tokio::test]
async fn guessing_the_current_password_is_slowed_down_too() {
    let house = House::open().await;
    let (_, sari) = house.person("sari", &[Role::Customer]).await;
    let guess = async || {
        let body = json!({ "current_password": "wrong password", "new_password": "12345678" });
        let call = house
            .client
            .put("/v1/users/me/password")
            .as_(sari.clone())
            .json(&body);
        call.send().await
    };
    for _ in 0..10 {
        guess().await.expect(422);
    }
    guess().await.expect(429);
}
