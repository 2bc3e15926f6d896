//! What is done with a subscription while it delivers to a real receiver.

use pasar_chassis::identity::Identity;
use pasar_relay::config::Config;
use pasar_testkit::{
    identities,
    probe::soon,
    receiver::{Receiver, Reply},
};
use serde_json::{Value, json};

use crate::system::{System, key, other_key};

fn somebody() -> Identity {
    key(&["publish:*", "subscribe:client"])
}

async fn open() -> System {
    System::with(Config {
        allow_private_networks: true,
        ..Config::default()
    })
    .await
}

async fn subscribe(system: &System, receiver: &Receiver) -> String {
    let input = json!({
        "topics": ["client"], "format": "raw", "retry": {"attempts": 1},
        "destination": {"kind": "rest", "url": receiver.url("/hook")},
    });
    let call = system
        .client
        .post("/v1/subscriptions")
        .as_(somebody())
        .json(&input);
    call.send().await.expect(201).value()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn publish(system: &System, text: &str) {
    let call = system.client.post("/messages").as_(somebody());
    call.json(&json!({"text": text})).send().await.expect(202);
}

async fn act(system: &System, id: &str, action: &str, body: Value) -> Value {
    let path = format!("/v1/subscriptions/{id}/{action}");
    let call = system.client.post(&path).as_(somebody()).json(&body);
    let answer = call.send().await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.value()
}

async fn get(system: &System, path: &str) -> Value {
    system
        .client
        .get(path)
        .as_(somebody())
        .send()
        .await
        .expect(200)
        .value()
}

/// Waits until something read over the API is as it should be.
async fn until(system: &System, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    soon(path, async {
        loop {
            let value = get(system, path).await;
            if is_so(&value) {
                return value;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn what_comes_while_it_is_paused_is_delivered_once_it_is_resumed() {
    let system = open().await;
    let receiver = Receiver::ok().await;
    let id = subscribe(&system, &receiver).await;
    publish(&system, "one").await;
    receiver.wait_for(1).await;
    assert_eq!(
        act(&system, &id, "pause", json!({})).await["state"],
        "paused"
    );
    publish(&system, "two").await;
    assert_eq!(
        act(&system, &id, "resume", json!({})).await["state"],
        "active"
    );
    let received = receiver.wait_for(2).await;
    let bodies: Vec<_> = received.iter().map(|it| it.body.clone()).collect();
    assert_eq!(bodies, ["one", "two"]);
    assert!(received[0].header("webhook-signature").is_some());
}

#[tokio::test]
async fn a_test_tells_what_became_of_it_and_leaves_no_message() {
    let system = open().await;
    let receiver = Receiver::ok().await;
    let id = subscribe(&system, &receiver).await;
    let attempt = act(&system, &id, "test", json!({})).await;
    assert_eq!(attempt["delivered"], true);
    receiver.answer_next(Reply::json(500, json!({"oops": 1})));
    let attempt = act(&system, &id, "test", json!({})).await;
    assert_eq!(
        (&attempt["delivered"], &attempt["status"]),
        (&json!(false), &json!(500))
    );
    let attempts = get(&system, &format!("/v1/subscriptions/{id}/attempts")).await;
    assert_eq!(attempts["items"].as_array().unwrap().len(), 2);
    assert_eq!(
        get(&system, "/v1/messages?topic=client").await["items"],
        json!([])
    );
}

#[tokio::test]
async fn a_dead_letter_is_listed_replayed_and_discarded() {
    let system = open().await;
    let receiver = Receiver::ok().await;
    let id = subscribe(&system, &receiver).await;
    for text in ["one", "two"] {
        receiver.answer_next(Reply::json(500, json!({})));
        publish(&system, text).await;
    }
    let letters =
        |count: usize| move |page: &Value| page["items"].as_array().unwrap().len() == count;
    let page = until(&system, "/v1/dead-letters", letters(2)).await;
    let position = page["items"][0]["position"].as_i64().unwrap();
    assert_eq!(page["items"][0]["subscription_id"], json!(id));
    let stranger = system
        .client
        .get("/v1/dead-letters")
        .as_(other_key(&["subscribe:*"]));
    assert_eq!(
        stranger.send().await.expect(200).value()["items"],
        json!([])
    );
    let post = async |path: &str, body: Value, identity: Identity| {
        let path = format!("/v1/dead-letters/{path}");
        system
            .client
            .post(&path)
            .as_(identity)
            .json(&body)
            .send()
            .await
    };
    let first = json!({"subscription": id, "positions": [position]});
    post("replay", first.clone(), other_key(&["subscribe:*"]))
        .await
        .expect(404);
    post("replay", first, somebody()).await.expect(202);
    receiver.wait_for(3).await;
    until(&system, "/v1/dead-letters", letters(1)).await;
    let all = json!({"subscription": id});
    let discarded = post("discard", all, somebody()).await.expect(200);
    assert_eq!(discarded.value()["discarded"], 1);
    until(&system, "/v1/dead-letters", letters(0)).await;
    let path = format!("/v1/subscriptions/{id}/attempts?limit=2");
    let page = until(&system, &path, |page| page["next_cursor"].is_string()).await;
    assert_eq!(page["items"][0]["delivered"], true, "the newest first");
}

#[tokio::test]
async fn a_replay_delivers_again_what_is_named() {
    let system = open().await;
    let receiver = Receiver::ok().await;
    let id = subscribe(&system, &receiver).await;
    for text in ["one", "two", "three"] {
        publish(&system, text).await;
    }
    receiver.wait_for(3).await;
    let scheduled = act(&system, &id, "replay", json!({"positions": [2]})).await;
    assert_eq!(scheduled["scheduled"], 1);
    let again = receiver.wait_for(4).await;
    assert_eq!(again[3].body, "two");
    // What may not be recorded yet is delivered once more all the same.
    act(&system, &id, "replay", json!({"range": {"after": 1}})).await;
    receiver.wait_for(6).await;
    let path = format!("/v1/subscriptions/{id}/replay");
    for (body, status) in [
        (json!({}), 422),
        (json!({"positions": [99]}), 422),
        (json!({"since": "soon"}), 422),
    ] {
        let call = system.client.post(&path).as_(somebody()).json(&body);
        call.send().await.expect(status);
    }
    let call = system.client.post(&path).as_(identities::customer(1));
    call.json(&json!({"positions": [1]}))
        .send()
        .await
        .expect(403);
}
