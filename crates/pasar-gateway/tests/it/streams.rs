//! Streams pass through as they come, uncompressed, and end with the credentials that opened them.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use pasar_contracts::{
    api::users::Role,
    events::users::{ApiKeyRevoked, SessionEnd, SessionEnded},
};
use pasar_types::id::UserId;
use reqwest::{Method, Response};
use serde_json::json;

use crate::support::{System, eventually};

const SOON: Duration = Duration::from_secs(10);

async fn next(stream: &mut Response) -> Option<String> {
    let chunk = tokio::time::timeout(SOON, stream.chunk())
        .await
        .expect("nothing came in time");
    chunk
        .unwrap()
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn events_come_at_once_and_uncompressed() {
    let system = System::start().await;
    let request = system
        .request(Method::GET, "/v1/orders/stream")
        .header("accept-encoding", "gzip");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(!stream.headers().contains_key("content-encoding"));
    assert_eq!(next(&mut stream).await.unwrap(), "data: hello\n\n");
    for n in 0..5 {
        system.orders.ticks.send(n.to_string()).unwrap();
        assert_eq!(next(&mut stream).await.unwrap(), format!("data: {n}\n\n"));
    }
    drop(stream);
    eventually("the end of the stream", || {
        system.orders.open_streams() == 0
    })
    .await;
}

#[tokio::test]
async fn a_stream_outlives_the_time_a_request_may_take() {
    let system = System::with(|setup| {
        setup.config.timeouts.write_ms = 100;
        setup.config.timeouts.idle_ms = 100;
        setup.config.timeouts.head_ms = 100;
        setup.config.timeouts.body_ms = 100;
    })
    .await;
    let mut stream = system.get("/v1/orders/stream").await;
    next(&mut stream).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    system.orders.ticks.send("late".to_owned()).unwrap();
    assert_eq!(next(&mut stream).await.unwrap(), "data: late\n\n");
}

#[tokio::test]
async fn a_stream_ends_when_its_session_is_ended() {
    let system = System::start().await;
    let (session, token) = system.logged_in(1, &[Role::Customer]);
    let mut stream = system.get_as(&token, "/v1/orders/stream").await;
    let mut strangers = system.get("/v1/orders/stream").await;
    next(&mut stream).await.unwrap();
    next(&mut strangers).await.unwrap();
    system.users.end_session(session);
    system.feed.append(&SessionEnded {
        user_id: UserId::from_bytes([1; 16]),
        session_id: session,
        reason: SessionEnd::Revoked,
    });
    assert_eq!(next(&mut stream).await, None);
    system.orders.ticks.send("on".to_owned()).unwrap();
    assert_eq!(next(&mut strangers).await.unwrap(), "data: on\n\n");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_does() {
    let system = System::with(|setup| setup.config.credentials.leeway_ms = 0).await;
    system.logged_in(1, &[Role::Customer]);
    let mut claims = system.claims(1, &[Role::Customer]);
    claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 10);
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 12);
    let token = system.signer.sign(&claims);
    let mut stream = system.get_as(&token, "/v1/orders/stream").await;
    assert_eq!(stream.status(), 200);
    next(&mut stream).await.unwrap();
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(system.status_as(&token, "/v1/orders").await, 401);
    eventually("the end of the stream", || {
        system.orders.open_streams() == 0
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_a_key_ends_when_that_is_revoked_and_goes_on_while_it_is_not() {
    let system = System::with(|setup| setup.config.credentials.api_key_ms = 50).await;
    let (id, key) = system.api_key(3, &[Role::Staff]);
    let mut stream = system.get_as(&key, "/v1/orders/stream").await;
    next(&mut stream).await.unwrap();
    eventually("asking again", || system.users.asked_keys.load(SeqCst) > 3).await;
    system.orders.ticks.send("still here".to_owned()).unwrap();
    assert_eq!(next(&mut stream).await.unwrap(), "data: still here\n\n");
    system.users.take_key(&key);
    system.feed.append(&ApiKeyRevoked {
        user_id: UserId::from_bytes([3; 16]),
        api_key_id: id,
    });
    assert_eq!(next(&mut stream).await, None);
}
