//! Lines of messages: answered as they become durable, in their order, whatever stands between them.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use pasar_chassis::{
    cause::Arrival,
    identity::{ClientAddress, Identity},
};
use pasar_relay::config::Config;
use pasar_testkit::{identities, probe::soon};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use crate::system::{System, key};

/// A body that is written and answered piece by piece.
struct Conversation {
    pieces: mpsc::UnboundedSender<Result<Bytes, std::io::Error>>,
    answers: Body,
    read: Vec<u8>,
}

impl Conversation {
    /// Begins with a first piece: the head of the answer comes once something of the body did.
    async fn begin(system: &System, first: &str) -> Self {
        let (pieces, mut coming) = mpsc::unbounded_channel();
        pieces.send(Ok(Bytes::from(first.to_owned()))).unwrap();
        let body = Body::from_stream(stream::poll_fn(move |cx| coming.poll_recv(cx)));
        let host = &system.host.host;
        let request = http::Request::post("/messages")
            .header("content-type", "application/x-ndjson")
            .extension(key(&["publish:*"]))
            .extension(ClientAddress(None))
            .extension(Arrival::new(
                &*host.clock,
                &*host.ids,
                &http::HeaderMap::new(),
            ))
            .body(body)
            .unwrap();
        let Ok::<_, Infallible>(response) = system.router.clone().oneshot(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Self {
            pieces,
            answers: response.into_body(),
            read: Vec::new(),
        }
    }

    fn say(&self, piece: &str) {
        self.pieces.send(Ok(Bytes::from(piece.to_owned()))).unwrap();
    }

    /// The next line of the answer; `None` at its end.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = soon("an answer", self.answers.frame()).await?;
            self.read
                .extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    }
}

async fn send_as(system: &System, identity: Identity, body: impl Into<Body>) -> Vec<Value> {
    let call = system.client.post("/v1/messages").as_(identity);
    let call = call.header("content-type", "application/x-ndjson");
    let answer = call.body(body).send().await.expect(200);
    let text = answer.text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn send(system: &System, body: impl Into<Body>) -> Vec<Value> {
    send_as(system, key(&["publish:*"]), body).await
}

#[tokio::test]
async fn every_line_gets_its_answer_in_order() {
    let system = System::start().await;
    let lines: String = (0..1_000)
        .map(|number| format!("{}\n", json!({"id": number.to_string(), "data": number})))
        .collect();
    let answers = send(&system, lines).await;
    assert_eq!(answers.len(), 1_000);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], number.to_string());
    }
    let log = system.log().await;
    assert_eq!(log[199]["data"], 199);
}

#[tokio::test]
async fn a_line_is_answered_while_the_body_goes_on() {
    let system = System::start().await;
    let mut conversation =
        Conversation::begin(&system, "{\"text\":\"a\",\"id\":\"1\"}\n{\"te").await;
    assert_eq!(conversation.hear().await.unwrap()["id"], "1");
    assert_eq!(system.log().await.len(), 1);
    conversation.say("xt\":\"b\",\"id\":\"2\"}\n");
    assert_eq!(conversation.hear().await.unwrap()["id"], "2");
    conversation.say("{\"text\":\"c\",\"id\":\"3\"}");
    drop(std::mem::replace(
        &mut conversation.pieces,
        mpsc::unbounded_channel().0,
    ));
    // The body is over: what has no line break is the last line.
    assert_eq!(conversation.hear().await.unwrap()["id"], "3");
    assert_eq!(conversation.hear().await, None);
}

#[tokio::test]
async fn a_bad_line_is_told_by_its_number_and_ends_nothing() {
    let system = System::start().await;
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(500_000));
    let body = [
        r#"{"text":"a"}"#,
        "nonsense",
        "",
        r#"{"text":"b","topic":"orders"}"#,
        &long,
        r#"{"specversion":"1.0","id":"e","source":"/s","type":"t","data":{"specversion":"x"}}"#,
        r#"{"data":{"specversion":"1.0"},"id":"inner"}"#,
        r#"{"text":"other","id":"e"}"#,
        "\u{1}",
        r#"{"text":"z"}"#,
    ]
    .join("\r\n");
    let answers = send(&system, body).await;
    let told: Vec<_> = answers
        .iter()
        .map(|answer| match answer["type"].as_str() {
            Some(problem) => format!(
                "{} {}",
                answer["line"],
                problem.trim_start_matches("/problems/")
            ),
            None => "taken".to_owned(),
        })
        .collect();
    let expected = [
        "taken",
        "2 invalid-request",
        "4 forbidden",
        "5 payload-too-large",
        "taken",
        "taken",
        "8 message-id-reused",
        "9 invalid-request",
        "taken",
    ];
    assert_eq!(told, expected);
    assert_eq!(system.log().await.len(), 4);
    let mut broken = b"{\"text\":\"a\"}\n{\"text\":\"\xff\"}\n".to_vec();
    broken.extend_from_slice(b"{\"text\":\"b\"}\n");
    let answers = send(&system, broken).await;
    assert_eq!(answers[1]["type"], "/problems/invalid-request");
    assert!(answers[2]["id"].is_string());
}

#[tokio::test]
async fn the_same_line_again_is_the_same_message() {
    let system = System::start().await;
    let body = "{\"text\":\"a\",\"id\":\"1\"}\n".repeat(3) + "{\"text\":\"b\",\"id\":\"1\"}\n";
    let answers = send(&system, body.clone()).await;
    assert_eq!(answers[..3], vec![json!({"id": "1"}); 3]);
    assert_eq!(answers[3]["type"], "/problems/message-id-reused");
    assert_eq!(send(&system, body).await[..3], answers[..3]);
    assert_eq!(system.log().await.len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_says_from_where_to_send_again() {
    let system = System::start().await;
    let mut conversation =
        Conversation::begin(&system, "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"te").await;
    assert!(conversation.hear().await.unwrap()["id"].is_string());
    assert!(conversation.hear().await.unwrap()["id"].is_string());
    let broken = std::io::Error::other("the client went away");
    conversation.pieces.send(Err(broken)).unwrap();
    let last = conversation.hear().await.unwrap();
    assert_eq!(last["line"], 3);
    assert_eq!(last["type"], "/problems/invalid-request");
    assert_eq!(conversation.hear().await, None);
    assert_eq!(system.log().await.len(), 2);
}

#[tokio::test]
async fn a_drain_ends_a_body_with_what_is_left_to_send() {
    let system = System::start().await;
    let mut conversation = Conversation::begin(&system, "{\"text\":\"a\"}\n").await;
    assert!(conversation.hear().await.unwrap()["id"].is_string());
    let tasks = system.host.host.tasks.clone();
    let drained = tokio::spawn(async move { tasks.drain(Duration::from_secs(10)).await });
    let last = conversation.hear().await.unwrap();
    assert_eq!(
        (&last["type"], &last["line"]),
        (&json!("/problems/unavailable"), &json!(2))
    );
    assert_eq!(conversation.hear().await, None);
    assert!(drained.await.unwrap().is_empty());
}

#[tokio::test]
async fn lines_are_refused_whole_to_whoever_may_not_send() {
    let system = System::start().await;
    let call = |identity| {
        let call = system.client.post("/messages").as_(identity);
        call.header("content-type", "application/x-ndjson")
            .body("{\"text\":\"a\"}\n")
    };
    call(identities::anonymous()).send().await.expect(401);
    call(identities::customer(1)).send().await.expect(403);
    let answers = send_as(
        &system,
        key(&["publish:shop.*"]),
        "{\"text\":\"a\"}\n{\"text\":\"a\",\"topic\":\"shop.a\"}",
    )
    .await;
    assert_eq!(answers[0]["type"], "/problems/forbidden");
    assert!(answers[1]["id"].is_string());
}

#[tokio::test]
async fn a_line_may_be_as_long_as_a_message_may_be_large() {
    let config = Config {
        message_bytes: 1_000,
        ..Config::default()
    };
    let system = System::with(config).await;
    let line = |length: usize| json!({"text": "x".repeat(length)}).to_string();
    let body = [line(998), line(999), line(100_000), line(1)].join("\n");
    let answers = send(&system, body).await;
    let taken: Vec<_> = answers
        .iter()
        .map(|answer| answer["id"].is_string())
        .collect();
    assert_eq!(taken, [true, false, false, true]);
    assert_eq!(answers[1]["status"], 413);
    assert_eq!(answers[2]["status"], 413);
}
