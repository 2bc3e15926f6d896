//! The client over a router, and servers and processes of a test's own.

use std::{process::Command, time::Duration};

use axum::{Router, extract::Extension, routing::get};
use futures_util::stream;
use http::Method;
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, Json},
    identity::Identity,
    problem, sse,
};
use pasar_contracts::api::users::Role;
use pasar_feed::tasks::Tasks;
use pasar_testkit::{
    client::Client,
    identities,
    process::Process,
    receiver::{Receiver, Reply},
    servers::Wire,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn router() -> Router {
    let whoami = async |identity: Identity, RequestCause(cause): RequestCause| {
        identity.require(&[Role::Staff])?;
        Ok::<_, problem::Problem>(Json(json!({ "actor": cause.actor.to_string() })))
    };
    let echo = async |call: Idempotent<Value>| Json(call.body);
    let events = async |Extension(tasks): Extension<Tasks>| {
        let events = [
            sse::event(1, "a", "{}".into()),
            sse::event(2, "b", "[]".into()),
        ];
        sse::respond(&tasks, stream::iter(events))
    };
    let routes = Router::new()
        .route("/whoami", get(whoami).post(echo))
        .route("/events", get(events))
        .layer(Extension(Tasks::new()));
    problem::with_fallbacks(routes)
}

#[tokio::test]
async fn a_client_speaks_as_whom_it_is_told() {
    let client = Client::new(router());
    let anonymous = client.get("/whoami").send().await.expect(401);
    assert_eq!(anonymous.problem(), "unauthenticated");
    assert!(anonymous.header("www-authenticate").is_some());
    let customer = client.get("/whoami").as_(identities::customer(1));
    customer.send().await.expect(403);
    let staff = client.get("/whoami").as_(identities::staff());
    let answer = staff.send().await.expect(200).value();
    assert!(answer["actor"].as_str().unwrap().starts_with("user:usr_"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let client = Client::new(router());
    let unknown = client.get("/nowhere").send().await.expect(404);
    assert_eq!(unknown.problem(), "not-found");
    let method = client.request(Method::DELETE, "/whoami").send().await;
    assert_eq!(method.problem(), "method-not-allowed");
    assert_eq!(method.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn a_call_without_its_key_is_refused() {
    let client = Client::new(router());
    let call = || client.post("/whoami").json(&json!({ "a": 1 }));
    let missing = call().send().await.expect(400);
    assert_eq!(missing.problem(), "idempotency-key-missing");
    assert_eq!(call().key("k").send().await.expect(200).value()["a"], 1);
}

#[tokio::test]
async fn a_stream_is_read_event_by_event() {
    let mut stream = Client::new(router()).get("/events").stream().await;
    let first = stream.next().await.unwrap();
    assert_eq!(
        (first.id.as_deref(), first.event.as_deref()),
        (Some("1"), Some("a"))
    );
    assert_eq!(stream.next().await.unwrap().json(), json!([]));
    assert_eq!(stream.next().await, None);
}

async fn post(receiver: &Receiver) -> String {
    let mut socket = TcpStream::connect(receiver.address()).await.unwrap();
    let request =
        "POST /hook?a=1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_receiver_records_what_comes_and_can_hang_up() {
    let receiver = Receiver::start(|request| Reply::json(200, request.json())).await;
    receiver.answer_next(Reply::HangUp);
    receiver.answer_next(Reply::json(503, json!({})).after(Duration::from_millis(1)));
    assert_eq!(post(&receiver).await, "");
    assert!(post(&receiver).await.starts_with("HTTP/1.1 503"));
    assert!(post(&receiver).await.starts_with("HTTP/1.1 200"));
    let received = receiver.wait_for(3).await;
    assert_eq!(received[0].path, "/hook?a=1");
    assert_eq!(received[2].json(), json!({}));
    assert!(receiver.url("/x").starts_with("http://127.0.0.1:"));
}

#[test]
fn a_process_is_read_and_killed() {
    let mut process = Process::start(
        Command::new("sh").args(["-c", "echo noise; echo listening on 1; exec sleep 600"]),
    )
    .unwrap();
    assert_eq!(process.wait_for_line("listening on ").unwrap(), "1");
    assert!(!process.kill().unwrap().success());
    assert!(process.wait_for_line("more").is_err());
}

#[tokio::test]
async fn a_wire_carries_until_it_is_cut() {
    let receiver = Receiver::ok().await;
    let wire = Wire::to(receiver.address().port()).await;
    let ask = async || {
        let mut stream = TcpStream::connect(("127.0.0.1", wire.port())).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    assert!(ask().await.unwrap().starts_with("HTTP/1.1 200"));
    wire.cut();
    assert!(ask().await.unwrap_or_default().is_empty());
    wire.mend();
    assert!(ask().await.unwrap().starts_with("HTTP/1.1 200"));
}
