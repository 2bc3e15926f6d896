//! Subscriptions over the API: whose they are, what is shown of them, and how they change.

use pasar_chassis::identity::Identity;
use pasar_testkit::{
    client::{Answer, Call},
    identities,
};
use serde_json::{Value, json};

use crate::system::{System, key, other_key};

const URL: &str = "https://shop.example/hook";

fn subscriber() -> Identity {
    key(&["subscribe:client", "subscribe:shop.*"])
}

fn hook() -> Value {
    json!({"topics": ["client"], "destination": {"kind": "rest", "url": URL}})
}

async fn create(system: &System, identity: Identity, input: &Value) -> Answer {
    let call = system.client.post("/v1/subscriptions").as_(identity);
    call.json(input).send().await
}

async fn created(system: &System) -> String {
    let answer = create(system, subscriber(), &hook()).await.expect(201);
    answer.value()["id"].as_str().unwrap().to_owned()
}

fn one(id: &str) -> String {
    assert!(id.starts_with("sub_"), "{id}");
    format!("/v1/subscriptions/{id}")
}

#[tokio::test]
async fn a_secret_is_made_and_shown_once() {
    let system = System::start().await;
    let answer = create(&system, subscriber(), &hook()).await.expect(201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    let body = answer.value();
    let secret = body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(body["secrets"], json!(["/secret"]));
    let place = one(body["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(place.as_str()));
    let shown = system.client.get(&place).as_(subscriber()).send().await;
    let shown = shown.expect(200);
    assert!(!shown.text().contains("whsec_"), "{}", shown.text());
    assert_eq!(
        shown.value()["destination"],
        json!({"kind": "rest", "url": URL})
    );
    let mut own = hook();
    own["destination"]["secret"] = json!(secret);
    let answer = create(&system, subscriber(), &own).await.expect(201);
    assert_eq!(answer.value().get("secret"), None, "who gave it knows it");
    assert!(!answer.text().contains("whsec_"));
}

#[tokio::test]
async fn only_topics_of_its_scopes_can_be_subscribed() {
    let system = System::start().await;
    let status = async |identity: Identity, topics: Value| {
        let mut input = hook();
        input["topics"] = topics;
        create(&system, identity, &input).await.status.as_u16()
    };
    assert_eq!(
        status(subscriber(), json!(["client", "shop.a", "shop.*"])).await,
        201
    );
    assert_eq!(status(subscriber(), json!(["client", "orders"])).await, 403);
    assert_eq!(status(subscriber(), json!(["*"])).await, 403);
    assert_eq!(status(subscriber(), json!([])).await, 422);
    assert_eq!(status(subscriber(), json!(["a b"])).await, 422);
    assert_eq!(status(key(&["publish:*"]), json!(["client"])).await, 403);
    assert_eq!(
        status(identities::customer(1), json!(["orders"])).await,
        403
    );
    assert_eq!(status(identities::staff(), json!(["orders"])).await, 403);
    assert_eq!(
        status(identities::anonymous(), json!(["client"])).await,
        401
    );
    assert_eq!(status(identities::admin(), json!(["*"])).await, 201);
    assert_eq!(
        status(identities::integrator(), json!(["orders"])).await,
        201
    );
}

#[tokio::test]
async fn what_cannot_work_is_named() {
    let system = System::start().await;
    for (change, field) in [
        (
            json!({"destination": {"kind": "pigeon"}}),
            "destination.kind",
        ),
        (
            json!({"destination": {"kind": "rest", "url": "ftp://x"}}),
            "destination.url",
        ),
        (json!({"concurrency": 0}), "concurrency"),
        (json!({"colour": "red"}), "colour"),
        (json!({"ordering": "sideways"}), "ordering"),
        (json!({"data": {"a": []}}), "data.a"),
    ] {
        let mut input = hook();
        input
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = create(&system, subscriber(), &input).await.expect(422);
        assert_eq!(
            answer.value()["errors"][0]["field"],
            field,
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn others_do_not_learn_of_it() {
    let system = System::start().await;
    let id = created(&system).await;
    let place = one(&id);
    let stranger = || other_key(&["subscribe:*"]);
    let calls = |identity: Identity| -> Vec<Call> {
        let put = system
            .client
            .put(&place)
            .as_(identity.clone())
            .json(&hook());
        let mut calls = vec![system.client.get(&place).as_(identity.clone()), put];
        calls.push(system.client.delete(&place).as_(identity));
        calls
    };
    for call in calls(stranger()) {
        call.send().await.expect(404);
    }
    // A key of the same account that may not have its topics delivered.
    for call in calls(key(&["subscribe:other"])) {
        call.send().await.expect(403);
    }
    let listed = async |identity: Identity| {
        let call = system.client.get("/v1/subscriptions").as_(identity);
        call.send().await.expect(200).value()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed(subscriber()).await, 1);
    assert_eq!(listed(stranger()).await, 0);
    assert_eq!(listed(identities::admin()).await, 1);
    system
        .client
        .get(&place)
        .as_(identities::admin())
        .send()
        .await
        .expect(200);
    system
        .client
        .get("/v1/subscriptions/sub_no")
        .as_(subscriber())
        .send()
        .await
        .expect(404);
}

#[tokio::test]
async fn a_change_names_the_version_that_it_is_based_on() {
    let system = System::start().await;
    let place = one(&created(&system).await);
    let put = |input: &Value, version: &str| {
        let call = system.client.put(&place).as_(subscriber()).json(input);
        call.header("if-match", version)
    };
    let mut input = hook();
    input["ordering"] = json!("strict");
    let changed = put(&input, "\"v1\"").send().await.expect(200);
    assert_eq!(changed.header("etag"), Some("\"v2\""));
    assert_eq!(changed.value()["ordering"], "strict");
    assert_eq!(changed.value()["secrets"], json!(["/secret"]), "it stays");
    put(&input, "\"v1\"").send().await.expect(412);
    let mut bad = input.clone();
    bad["concurrency"] = json!(0);
    put(&bad, "\"v1\"").send().await.expect(422);
    // What can never be taken is said to be so, whatever the version.
    let mut nowhere = input.clone();
    nowhere["destination"]
        .as_object_mut()
        .unwrap()
        .remove("url");
    put(&nowhere, "\"v1\"").send().await.expect(422);
    input["topics"] = json!(["orders"]);
    put(&input, "\"v2\"").send().await.expect(403);
    let seen = system.client.get(&place).as_(subscriber());
    seen.header("if-none-match", "\"v2\"")
        .send()
        .await
        .expect(304);
    let gone = system.client.delete(&place).as_(subscriber());
    gone.header("if-match", "\"v1\"").send().await.expect(412);
    system
        .client
        .delete(&place)
        .as_(subscriber())
        .send()
        .await
        .expect(204);
    system
        .client
        .get(&place)
        .as_(subscriber())
        .send()
        .await
        .expect(404);
    system
        .client
        .delete(&place)
        .as_(subscriber())
        .send()
        .await
        .expect(404);
}

#[tokio::test]
async fn subscriptions_are_listed_by_pages() {
    let system = System::start().await;
    for _ in 0..5 {
        created(&system).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/subscriptions?limit=2".to_owned();
    loop {
        let page = system
            .client
            .get(&path)
            .as_(subscriber())
            .send()
            .await
            .expect(200)
            .value();
        let items = page["items"].as_array().unwrap().clone();
        seen.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/subscriptions?limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[tokio::test]
async fn the_document_lists_the_settings_of_every_kind_and_has_no_defects() {
    let system = System::start().await;
    let defects = pasar_chassis::openapi::defects(&system.openapi);
    assert_eq!(defects, Vec::<String>::new());
    let document = serde_json::to_value(&system.openapi).unwrap();
    let schemas = &document["components"]["schemas"];
    let kinds = schemas["Destination"]["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), pasar_relay::destinations::KINDS.len());
    let shown = &schemas["Subscription"];
    assert!(shown["properties"]["topics"].is_object() && shown["properties"]["state"].is_object());
    assert_eq!(shown.get("allOf"), None);
    let page = &schemas["Page_Subscription"]["properties"]["items"]["items"];
    assert_eq!(page["$ref"], "#/components/schemas/Subscription");
}
