//! Opening accounts.

use serde_json::{Value, json};

use crate::house::House;

async fn register(house: &House, body: &Value) -> (u16, String, Value) {
    let answer = house
        .client
        .post("/v1/auth/register")
        .json(body)
        .send()
        .await;
    let problem = if answer.status.is_success() {
        String::new()
    } else {
        answer.problem()
    };
    (answer.status.as_u16(), problem, answer.value())
}

#[tokio::test]
async fn a_registered_person_is_a_customer_and_can_log_in() {
    let house = House::open().await;
    let body = json!({ "email": " Sari@Example.com ", "password": "12345678", "name": " Sari " });
    let (status, _, user) = register(&house, &body).await;
    assert_eq!(status, 201);
    assert_eq!(user["email"], "sari@example.com");
    assert_eq!(user["name"], "Sari");
    assert_eq!(user["roles"], json!(["customer"]));
    assert!(user.get("password").is_none() && user.get("password_hash").is_none());
    house.try_login("SARI", "12345678").await.expect(200);
}

#[tokio::test]
async fn an_address_has_one_account() {
    let house = House::open().await;
    house.register("sari").await;
    let body = json!({ "email": "SARI@example.com", "password": "12345678", "name": "Thief" });
    let (status, problem, _) = register(&house, &body).await;
    assert_eq!((status, problem.as_str()), (409, "email-taken"));
}

#[tokio::test]
async fn of_parallel_registrations_one_gets_the_address() {
    let house = House::open().await;
    let body = json!({ "email": "sari@example.com", "password": "12345678", "name": "Sari" });
    let calls: Vec<_> = (0..8)
        .map(|_| tokio::spawn(house.client.post("/v1/auth/register").json(&body).send()))
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn one_answer_names_all_that_is_wrong() {
    let house = House::open().await;
    let body = json!({ "email": "nobody", "password": "1234567", "name": "\u{7}" });
    let (status, problem, body) = register(&house, &body).await;
    assert_eq!((status, problem.as_str()), (422, "validation-failed"));
    let fields: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["field"])
        .collect();
    assert_eq!(fields, ["email", "password", "name"]);
    assert!(
        body["detail"]
            .as_str()
            .unwrap()
            .contains("8 to 256 characters")
    );
}

#[tokio::test]
async fn nobody_registers_with_roles_an_id_or_anything_else() {
    let house = House::open().await;
    for (field, value) in [
        ("roles", json!(["admin"])),
        ("id", json!("usr_01h455vb4pex5vsknk084sn02q")),
        ("kind", json!("machine")),
        ("password_hash", json!("$argon2id$")),
    ] {
        let mut body = json!({ "email": "a@b.c", "password": "12345678", "name": "A" });
        body[field] = value;
        let (status, problem, _) = register(&house, &body).await;
        assert_eq!(
            (status, problem.as_str()),
            (422, "validation-failed"),
            "{field}"
        );
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_without_a_500() {
    let house = House::open().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{\"email\":1,\"password\":[],\"name\":{}}",
    ] {
        for path in [
            "/v1/auth/register",
            "/v1/auth/login",
            "/v1/auth/refresh",
            "/v1/auth/logout",
        ] {
            let call = house
                .client
                .post(path)
                .header("content-type", "application/json");
            let answer = call.body(body).send().await;
            let status = answer.status.as_u16();
            let problem = answer.problem();
            let expected = [(400, "invalid-request"), (422, "validation-failed")];
            assert!(
                expected.contains(&(status, &problem)),
                "{path} {body}: {}",
                answer.text()
            );
        }
    }
}
