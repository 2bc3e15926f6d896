//! Messages in every form: what is taken, what it becomes, and what is refused and how.

use pasar_chassis::identity::ClientAddress;
use pasar_relay::config::Config;
use pasar_testkit::{
    client::{Answer, Call},
    identities,
};
use serde_json::{Value, json};

use crate::system::{System, key};

fn publisher() -> pasar_chassis::identity::Identity {
    key(&["publish:*"])
}

fn post(system: &System, content_type: &str, body: impl Into<String>) -> Call {
    system
        .client
        .post("/v1/messages")
        .as_(publisher())
        .header("content-type", content_type)
        .body(body.into())
}

async fn send(system: &System, body: &Value) -> Answer {
    post(system, "application/json", body.to_string())
        .send()
        .await
}

fn event(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/till/2", "type": "sold", "data": {"sku": "kopi"}})
}

#[tokio::test]
async fn a_text_goes_to_the_topic_client_and_stands_in_the_log() {
    let system = System::start().await;
    let answer = send(&system, &json!({"text": "halo"})).await.expect(202);
    assert_eq!(answer.value()["message"], "Message sent");
    let id = answer.value()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("msg_"), "{id}");
    let message = system.message("client", &id).await;
    assert_eq!(message["data"], "halo");
    assert_eq!(message["type"], "message");
    assert_eq!(message["source"], "/pasar/client");
    assert_eq!(message["position"], "1");
    assert!(message["actor"].as_str().unwrap().starts_with("key:"));
    assert!(message["causationid"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn both_paths_take_the_same() {
    let system = System::start().await;
    let call = system.client.post("/messages").as_(publisher());
    let answer = call.json(&json!({"text": "halo", "id": "1"})).send().await;
    assert_eq!(answer.expect(202).value()["id"], "1");
    send(&system, &json!({"text": "halo", "id": "1"}))
        .await
        .expect(202);
    assert_eq!(system.log().await.len(), 1);
}

#[tokio::test]
async fn the_same_id_is_the_same_message_on_its_topic() {
    let system = System::start().await;
    let first = json!({"topic": "a", "id": "1", "data": {"n": 1}, "key": "k"});
    let answer = send(&system, &first).await.expect(202).value();
    assert_eq!(send(&system, &first).await.expect(202).value(), answer);
    for (field, value) in [
        ("data", json!({"n": 2})),
        ("key", json!("l")),
        ("type", json!("t")),
    ] {
        let mut other = first.clone();
        other[field] = value;
        assert_eq!(
            send(&system, &other).await.expect(409).problem(),
            "message-id-reused"
        );
    }
    let mut elsewhere = first.clone();
    elsewhere["topic"] = json!("b");
    send(&system, &elsewhere).await.expect(202);
    assert_eq!(system.log().await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_taken_is_told_with_its_field() {
    let system = System::start().await;
    for (body, status, problem) in [
        ("", 422, "validation-failed"),
        ("{", 400, "invalid-request"),
        ("[1]", 422, "validation-failed"),
        (r#"{"text":"a","topic":"a b"}"#, 422, "validation-failed"),
        (r#"{"text":"a","colour":"red"}"#, 422, "validation-failed"),
        (r#"{"text":"a","data":1}"#, 422, "validation-failed"),
        (r#"{"text":"\u0000"}"#, 422, "validation-failed"),
        (r#"{"text":"a","topic":"orders"}"#, 403, "forbidden"),
        (r#"{"text":"a","topic":"relay.x"}"#, 403, "forbidden"),
    ] {
        let answer = post(&system, "application/json", body).send().await;
        assert_eq!(answer.expect(status).problem(), problem, "{body}");
    }
    let large = json!({"data": "x".repeat(256 * 1024)});
    let answer = send(&system, &large).await.expect(413);
    assert_eq!(answer.value()["limit_bytes"], 256 * 1024);
    let huge = json!({"data": "x".repeat(2 * 1024 * 1024)});
    send(&system, &huge).await.expect(413);
    let answer = post(&system, "text/plain", "halo").send().await.expect(415);
    assert_eq!(answer.problem(), "unsupported-media-type");
    let answer = post(&system, "application/json", "{}").header("content-encoding", "gzip");
    answer.send().await.expect(415);
    assert!(system.log().await.is_empty());
}

#[tokio::test]
async fn a_scope_covers_its_topics_and_no_other() {
    let system = System::start().await;
    let send = async |identity, topic: &str| {
        let body = json!({"text": "a", "topic": topic});
        let call = system.client.post("/v1/messages").as_(identity);
        call.json(&body).send().await.status.as_u16()
    };
    assert_eq!(send(key(&["publish:client"]), "client").await, 202);
    assert_eq!(send(key(&["publish:shop.*"]), "shop.a").await, 202);
    assert_eq!(send(key(&["publish:shop.*"]), "shop").await, 403);
    assert_eq!(send(key(&["publish:client"]), "other").await, 403);
    assert_eq!(send(key(&["subscribe:client"]), "client").await, 403);
    assert_eq!(send(key(&["publish:*"]), "payments").await, 403);
    assert_eq!(send(identities::admin(), "anything").await, 202);
    assert_eq!(send(identities::admin(), "orders").await, 403);
    assert_eq!(send(identities::customer(1), "client").await, 403);
    assert_eq!(send(identities::anonymous(), "client").await, 401);
}

#[tokio::test]
async fn the_open_topic_is_open_to_this_machine_alone() {
    let config = Config {
        open_client_topic: true,
        ..Config::default()
    };
    let system = System::with(config).await;
    let far = system.client.post("/messages").json(&json!({"text": "a"}));
    far.send().await.expect(401);
    let near = async |body: Value| {
        let request = http::Request::post("/messages")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(ClientAddress(Some([127, 0, 0, 1].into())))
            .extension(pasar_chassis::cause::Arrival::new(
                &*system.host.host.clock,
                &*system.host.host.ids,
                &http::HeaderMap::new(),
            ))
            .body(axum::body::Body::from(body.to_string()));
        pasar_testkit::client::call(&system.router, request.unwrap()).await
    };
    near(json!({"text": "a"})).await.expect(202);
    near(json!({"text": "a", "topic": "other"}))
        .await
        .expect(401);
}

#[tokio::test]
async fn an_event_keeps_its_attributes() {
    let system = System::start().await;
    let mut sent = event("1");
    sent["time"] = json!("2026-01-02T03:04:05Z");
    sent["subject"] = json!("kopi");
    sent["partitionkey"] = json!("till-2");
    sent["topic"] = json!("sales");
    sent["priority"] = json!(3);
    let call = post(&system, "application/cloudevents+json", sent.to_string());
    call.send().await.expect(202);
    let message = system.message("sales", "1").await;
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&message[name], value, "{name}");
    }
    // Sent on to another topic, as one relay does to another.
    let call = system
        .client
        .post("/v1/messages?topic=copies")
        .as_(publisher());
    let call = call.header("content-type", "application/cloudevents+json");
    call.body(message.to_string()).send().await.expect(202);
    let copy = system.message("copies", "1").await;
    assert_eq!(copy["correlationid"], message["correlationid"]);
    assert_eq!(copy["priority"], 3);
    assert_eq!(copy["position"], "2");
}

#[tokio::test]
async fn an_event_in_binary_mode_carries_any_bytes() {
    let system = System::start().await;
    let call = system.client.post("/messages").as_(publisher());
    let call = call
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/camera")
        .header("ce-type", "picture.taken")
        .header("ce-topic", "pictures")
        .header("ce-room", "k%C3%BCche")
        .header("content-type", "image/png");
    call.body(vec![0x89, b'P', 0xff, 0])
        .send()
        .await
        .expect(202);
    let message = system.message("pictures", "1").await;
    assert_eq!(message["data_base64"], "iVD/AA==");
    assert_eq!(message["datacontenttype"], "image/png");
    assert_eq!(message["room"], "küche");
}

#[tokio::test]
async fn a_batch_is_taken_whole_and_names_the_event_at_fault() {
    let system = System::start().await;
    let batch = async |events: Value| {
        let call = post(
            &system,
            "application/cloudevents-batch+json",
            events.to_string(),
        );
        call.send().await
    };
    let answer = batch(json!([event("1"), event("2"), event("1")]))
        .await
        .expect(202);
    assert_eq!(answer.value()["ids"], json!(["1", "2", "1"]));
    assert_eq!(system.log().await.len(), 2);
    let mut bad = event("3");
    bad["time"] = json!("soon");
    let answer = batch(json!([event("4"), bad])).await.expect(422);
    assert_eq!(answer.value()["index"], 1);
    let mut other = event("1");
    other["data"] = json!(2);
    let answer = batch(json!([event("5"), other])).await.expect(409);
    assert_eq!(answer.value()["indexes"], json!([1]));
    assert_eq!(answer.problem(), "message-id-reused");
    assert_eq!(system.log().await.len(), 3);
    let mut flows: Vec<_> = system
        .log()
        .await
        .iter()
        .map(|it| it["correlationid"].clone())
        .collect();
    flows.dedup();
    assert_eq!(flows.len(), 3, "each message of a batch is a flow");
}

#[tokio::test]
async fn the_log_is_listed_by_pages_for_whoever_may_read_it() {
    let system = System::start().await;
    for number in 0..25 {
        let topic = if number % 2 == 0 { "even" } else { "odd.ones" };
        send(
            &system,
            &json!({"topic": topic, "data": number, "key": number.to_string()}),
        )
        .await
        .expect(202);
    }
    let list = async |query: &str, scopes: &[&str]| {
        let call = system.client.get(&format!("/v1/messages{query}"));
        call.as_(key(scopes)).send().await
    };
    let mut seen = Vec::new();
    let mut path = "?topic=even&limit=5".to_owned();
    loop {
        let page = list(&path, &["subscribe:even"]).await.expect(200).value();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["data"].as_i64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("?topic=even&limit=5&cursor={cursor}");
    }
    assert_eq!(seen, (0..25).step_by(2).collect::<Vec<_>>());
    let all = ["subscribe:*"];
    let found = async |query: &str| {
        list(query, &all).await.expect(200).value()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(found("?topic=odd.*").await, 12);
    assert_eq!(found("?key=7").await, 1);
    assert_eq!(found("?after=20&limit=200").await, 5);
    assert_eq!(found("?type=message&limit=200").await, 25);
    assert_eq!(found("?type=other").await, 0);
    list("?topic=even", &["subscribe:odd.*"]).await.expect(403);
    list("", &["subscribe:even"]).await.expect(403);
    list("?topic=a%20b", &all).await.expect(422);
    list("?after=-1", &all).await.expect(422);
    list("?limit=0", &all).await.expect(422);
    let missing = system.client.get("/v1/messages/even/none").as_(key(&all));
    missing.send().await.expect(404);
}
