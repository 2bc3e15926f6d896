//! What admins see and decide.

use std::time::Duration;

use pasar_contracts::api::users::{AuditEntry, Role, User};
use serde_json::{Value, json};

use crate::house::House;

fn items<T: serde::de::DeserializeOwned>(page: &Value) -> Vec<T> {
    serde_json::from_value(page["items"].clone()).unwrap()
}

#[tokio::test]
async fn users_are_found_and_listed_page_by_page() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    for name in ["sari", "budi", "dewi"] {
        house.host.advance(Duration::from_millis(1));
        house.register(name).await;
    }
    let list = async |path: &str| {
        let answer = house
            .client
            .get(path)
            .as_(admin.clone())
            .send()
            .await
            .expect(200);
        let names: Vec<User> = items(&answer.value());
        let next = answer.header("link").map(|link| {
            link.trim_start_matches('<')
                .split('>')
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        (
            names
                .into_iter()
                .map(|user| user.name)
                .collect::<Vec<_>>()
                .join(" "),
            next,
        )
    };
    let (first, next) = list("/v1/users?limit=3").await;
    assert_eq!(first, "dewi budi sari");
    assert_eq!(list(&next.unwrap()).await, ("Admin".to_owned(), None));
    assert_eq!(list("/v1/users?q=SARI%40").await.0, "sari");
    assert_eq!(list("/v1/users?role=admin").await.0, "Admin");
    assert_eq!(list("/v1/users?q=nobody").await.0, "");
    for query in [
        "limit=0",
        "limit=201",
        "cursor=x",
        "role=root",
        "sort=name",
        "q=%00",
    ] {
        let path = format!("/v1/users?{query}");
        house
            .client
            .get(&path)
            .as_(admin.clone())
            .send()
            .await
            .expect(422);
    }
}

#[tokio::test]
async fn an_admin_gives_and_takes_roles_but_not_the_last_admins() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let user = house.register("sari").await;
    let roles = async |id: &str, roles: Value| {
        let path = format!("/v1/users/{id}/roles");
        let body = json!({ "roles": roles });
        house
            .client
            .put(&path)
            .as_(admin.clone())
            .json(&body)
            .send()
            .await
    };
    let sari = user.id.to_string();
    let changed = roles(&sari, json!(["staff", "customer"])).await.expect(200);
    assert_eq!(changed.json::<User>().roles, [Role::Customer, Role::Staff]);
    let own = admin.user_id().unwrap().to_string();
    assert_eq!(
        roles(&own, json!(["customer"])).await.expect(409).problem(),
        "last-admin"
    );
    roles(&sari, json!([])).await.expect(422);
    roles(&sari, json!(["root"])).await.expect(422);
    roles("usr_01h455vb4pex5vsknk084sn02q", json!(["staff"]))
        .await
        .expect(404);
    roles("ord_01h455vb4pex5vsknk084sn02q", json!(["staff"]))
        .await
        .expect(400);
    roles(&sari, json!(["admin"])).await.expect(200);
    roles(&own, json!(["customer"])).await.expect(200);
}

#[tokio::test]
async fn the_audit_trail_says_who_did_what_when_and_from_where() {
    let house = House::open().await;
    let admin = house.first_admin().await;
    let user = house.register("sari").await;
    house.host.advance(Duration::from_millis(1));
    house.try_login("sari", "wrong password").await.expect(401);
    house.host.advance(Duration::from_millis(1));
    house
        .try_login("nobody", "wrong password")
        .await
        .expect(401);
    house.host.advance(Duration::from_millis(1));
    let path = format!("/v1/users/{}/roles", user.id);
    let body = json!({ "roles": ["staff"] });
    house
        .client
        .put(&path)
        .as_(admin.clone())
        .json(&body)
        .send()
        .await
        .expect(200);

    let trail = async |query: &str| {
        let path = format!("/v1/audit{query}");
        let answer = house
            .client
            .get(&path)
            .as_(admin.clone())
            .send()
            .await
            .expect(200);
        items::<AuditEntry>(&answer.value())
    };
    let newest = &trail("?limit=1").await[0];
    assert_eq!(newest.actor, format!("user:{}", admin.user_id().unwrap()));
    assert_eq!(newest.user_id, Some(user.id));
    assert_eq!(newest.details.roles, Some(vec![Role::Staff]));
    assert_eq!(newest.source.as_deref(), Some("192.0.2.0/24"));
    let about_sari = trail(&format!("?user_id={}", user.id)).await;
    let actions: Vec<_> = about_sari
        .iter()
        .map(|entry| serde_json::to_value(entry.action).unwrap())
        .collect();
    assert_eq!(
        actions,
        ["roles.changed", "login.failed", "user.registered"]
    );
    let all = serde_json::to_string(&trail("?limit=200").await).unwrap();
    assert!(
        !all.contains("example.com") && !all.contains("192.0.2.1"),
        "{all}"
    );
    assert!(all.contains("signing_key.rotated"));
}
