//! WebSockets: subscriptions, places, acknowledgements, and clients that misbehave.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use pasar_relay::config::Config;
use pasar_testkit::identities::{admin, anonymous, customer};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::system::System;

#[tokio::test]
async fn messages_carry_the_subscription_position_topic_and_type() {
    let system = System::start().await;
    let mut socket = system.web_socket(admin()).await;
    for (id, format) in [("whole", "cloudevents"), ("data", "data"), ("raw", "raw")] {
        let subscribe = json!({"id": id, "topics": ["shop.*", "client"], "format": format});
        socket.say(&json!({ "subscribe": subscribe })).await;
        let answer = socket.hear().await;
        assert_eq!(answer, json!({"subscribed": {"id": id, "position": 0}}));
    }
    system
        .post_to("shop.one", "thing.sold", &json!("a \"b\""))
        .await;
    let mut seen = [
        socket.hear().await,
        socket.hear().await,
        socket.hear().await,
    ];
    seen.sort_by_key(|frame| frame["message"]["subscription"].to_string());
    let [data, raw, whole] = seen;
    let message = json!({"message": {
        "subscription": "data", "position": 1, "topic": "shop.one", "type": "thing.sold",
        "data": "a \"b\"",
    }});
    assert_eq!(data, message);
    assert_eq!(raw["message"]["text"], "a \"b\"");
    assert_eq!(whole["message"]["event"]["type"], "thing.sold");
    assert_eq!(whole["message"]["event"]["data"], "a \"b\"");
}

#[tokio::test]
async fn a_subscription_goes_on_where_the_client_says_also_after_a_restart() {
    let system = System::start().await;
    for number in 1..=600 {
        system.post(number).await;
    }
    let mut socket = system.web_socket(admin()).await;
    assert_eq!(socket.subscribe(json!({"position": 590})).await, 590);
    for number in 591..=600 {
        assert_eq!(socket.number().await, number);
    }
    // Back to an earlier place, on the same connection.
    let resume = json!({"resume": {"id": "a", "position": 2}});
    socket.say(&resume).await;
    assert_eq!(socket.hear().await["subscribed"]["position"], 2);
    for number in 3..=600 {
        assert_eq!(socket.number().await, number);
    }
    let system = system.restart().await;
    assert_eq!(socket.close_code().await, 1001);
    let mut socket = system.web_socket(admin()).await;
    assert_eq!(socket.subscribe(json!({"position": 598})).await, 598);
    system.post(601).await;
    for number in 599..=601 {
        assert_eq!(socket.number().await, number);
    }
    let mut early = system.web_socket(admin()).await;
    early.subscribe(json!({"position": "earliest"})).await;
    assert_eq!(early.number().await, 1);
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_told_as_a_gap() {
    let system = System::start().await;
    for number in 1..=20 {
        system.post(number).await;
    }
    system.trim(11).await;
    let system = system.restart().await;
    let mut socket = system.web_socket(admin()).await;
    socket.subscribe(json!({"position": 4})).await;
    assert_eq!(
        socket.hear().await,
        json!({"gap": {"id": "a", "after": 4, "upto": 10}})
    );
    assert_eq!(socket.number().await, 11);
}

#[tokio::test]
async fn after_unsubscribing_nothing_comes_and_others_go_on() {
    let system = System::start().await;
    let mut socket = system.web_socket(admin()).await;
    socket.subscribe(json!({})).await;
    socket
        .subscribe(json!({"id": "b", "types": ["wanted"]}))
        .await;
    socket.say(&json!({"unsubscribe": {"id": "a"}})).await;
    assert_eq!(socket.hear().await, json!({"unsubscribed": {"id": "a"}}));
    system.post(1).await;
    system.post_to("client", "wanted", &json!(2)).await;
    let frame = socket.hear().await;
    assert_eq!(frame["message"]["subscription"], "b");
    assert_eq!(frame["message"]["data"], 2);
    socket.say(&json!({"unsubscribe": {"id": "a"}})).await;
    assert_eq!(socket.problem().await, "not-found");
}

#[tokio::test]
async fn with_acknowledgements_no_more_than_the_window_is_sent() {
    let system = System::start().await;
    for number in 1..=600 {
        system.post(number).await;
    }
    let mut socket = system.web_socket(admin()).await;
    socket
        .subscribe(json!({"position": 0, "acknowledge": true}))
        .await;
    for number in 1..=256 {
        assert_eq!(socket.number().await, number);
    }
    // Whatever was sent before the pong would have come before it.
    socket.say(&json!({"ping": {}})).await;
    assert_eq!(socket.hear().await, json!({"pong": {}}));
    socket
        .say(&json!({"ack": {"id": "a", "position": 10}}))
        .await;
    for number in 257..=266 {
        assert_eq!(socket.number().await, number);
    }
    socket.say(&json!({"ping": {}})).await;
    assert_eq!(socket.hear().await, json!({"pong": {}}));
    socket
        .say(&json!({"ack": {"id": "a", "position": 266}}))
        .await;
    for number in 267..=522 {
        assert_eq!(socket.number().await, number);
    }
    // Without acknowledgements there is nothing to acknowledge.
    socket.subscribe(json!({"id": "b"})).await;
    socket
        .say(&json!({"ack": {"id": "b", "position": 1}}))
        .await;
    assert_eq!(socket.problem().await, "conflict");
}

#[tokio::test]
async fn nobody_subscribes_to_what_they_may_not_read() {
    let system = System::start().await;
    let mut socket = system.web_socket(customer(1)).await;
    let forbidden = json!({"subscribe": {"id": "a", "topics": ["client"]}});
    socket.say(&forbidden).await;
    assert_eq!(socket.problem().await, "forbidden");
    socket.subscribe(json!({"topics": ["orders"]})).await;
    for (owner, number) in [(2, 1), (1, 2)] {
        system.order_ready(owner, number);
    }
    assert_eq!(socket.hear().await["message"]["data"]["number"], 2);
}

#[tokio::test]
async fn frames_that_cannot_be_understood_are_answered_and_the_connection_goes_on() {
    let system = System::start().await;
    let mut socket = system.web_socket(admin()).await;
    for (frame, kind) in [
        ("", "invalid-request"),
        ("{", "invalid-request"),
        ("[]", "invalid-request"),
        ("{}", "invalid-request"),
        ("\"ping\"", "invalid-request"),
        (
            r#"{"ping":{},"ack":{"id":"a","position":1}}"#,
            "invalid-request",
        ),
        (r#"{"publish":{"text":"x"}}"#, "invalid-request"),
        (r#"{"ping":{"x":1}}"#, "invalid-request"),
        (r#"{"subscribe":{"id":"a"}}"#, "invalid-request"),
        (
            r#"{"subscribe":{"id":"a","topics":["client"],"topic":"b"}}"#,
            "invalid-request",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":["client"],"position":"later"}}"#,
            "invalid-request",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":["client"],"position":-1}}"#,
            "validation-failed",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":["client"],"position":1.5}}"#,
            "invalid-request",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":["a..b"]}}"#,
            "validation-failed",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":[]}}"#,
            "validation-failed",
        ),
        (
            r#"{"subscribe":{"id":"","topics":["client"]}}"#,
            "validation-failed",
        ),
        (
            r#"{"subscribe":{"id":"a","topics":["client"],"types":["*.x"]}}"#,
            "validation-failed",
        ),
        (r#"{"ack":{"id":"a","position":1}}"#, "not-found"),
        (r#"{"resume":{"id":"a","position":1}}"#, "not-found"),
    ] {
        socket.send(Message::text(frame)).await;
        assert_eq!(socket.problem().await, kind, "{frame}");
    }
    socket.subscribe(json!({})).await;
    socket
        .say(&json!({"subscribe": {"id": "a", "topics": ["client"]}}))
        .await;
    assert_eq!(socket.problem().await, "conflict");
    system.post(1).await;
    assert_eq!(socket.number().await, 1);
}

#[tokio::test]
async fn frames_that_are_huge_binary_or_too_many_end_the_connection() {
    let system = System::start().await;
    let mut huge = system.web_socket(admin()).await;
    let sending = tokio::spawn(async move {
        let message = Message::text("x".repeat(64 * 1024 + 1));
        // It may be refused before it is whole.
        let _ = tokio::time::timeout(Duration::from_secs(1), huge.send(message)).await;
        huge.close_code().await
    });
    assert_eq!(sending.await.unwrap(), 1009);
    let mut binary = system.web_socket(admin()).await;
    binary.send(Message::binary(vec![1, 2])).await;
    assert_eq!(binary.close_code().await, 1003);
    let mut hasty = system.web_socket(admin()).await;
    for _ in 0..=200 {
        hasty.say(&json!({"ping": {}})).await;
    }
    assert_eq!(hasty.close_code().await, 1008);
    let mut greedy = system.web_socket(admin()).await;
    for number in 0..64 {
        greedy.subscribe(json!({"id": number.to_string()})).await;
    }
    greedy
        .say(&json!({"subscribe": {"id": "x", "topics": ["client"]}}))
        .await;
    assert_eq!(greedy.problem().await, "validation-failed");
}

#[tokio::test]
async fn who_is_silent_is_pinged_and_then_let_go() {
    let system = System::start().await;
    let mut socket = system.web_socket(admin()).await;
    socket.subscribe(json!({})).await;
    system.host.advance(Duration::from_secs(30));
    // The library answers the ping while it reads.
    assert!(matches!(socket.next().await, Message::Ping(_)));
    socket.say(&json!({"ping": {}})).await;
    assert_eq!(socket.hear().await, json!({"pong": {}}));
    system.host.advance(Duration::from_secs(30));
    assert!(matches!(socket.next().await, Message::Ping(_)));
}

#[tokio::test]
async fn it_ends_with_the_credentials_and_on_drain_and_when_the_client_says_so() {
    let system = System::start().await;
    let mut revoked = system.web_socket(admin()).await;
    revoked.subscribe(json!({})).await;
    revoked.end_credentials();
    assert_eq!(revoked.close_code().await, 1008);
    let mut polite = system.web_socket(admin()).await;
    polite.send(Message::Close(None)).await;
    assert_eq!(polite.close_code().await, 1000);
    let mut drained = system.web_socket(admin()).await;
    drained.subscribe(json!({})).await;
    system.stop().await;
    assert_eq!(drained.close_code().await, 1001);
}

#[tokio::test]
async fn strangers_open_none_unless_the_client_topic_is_open() {
    let refused = System::start().await;
    let request = || Request::get("/v1/ws").body(Body::empty()).unwrap();
    let (response, _) = refused.hand_over(request(), anonymous()).await;
    assert_eq!(response.status(), 401);
    // Known, but this is no WebSocket.
    let (response, handed) = refused.hand_over(request(), admin()).await;
    assert_eq!(response.status(), 400);
    assert!(handed.is_none());
    let open = System::with(Config {
        open_client_topic: true,
        ..Config::default()
    })
    .await;
    let mut socket = open.web_socket(anonymous()).await;
    socket.subscribe(json!({})).await;
    open.post(1).await;
    assert_eq!(socket.number().await, 1);
    let others: Value = json!({"subscribe": {"id": "b", "topics": ["*"]}});
    socket.say(&others).await;
    assert_eq!(socket.problem().await, "unauthenticated");
}
