//! What is sent, and what becomes of each kind of answer.

use std::time::Duration;

use pasar_chassis::signature::{self, Secret};
use pasar_contracts::api::relay::Format;
use pasar_relay::{
    destination::{Failure, Kind as _, Next, Sent},
    destinations::rest::{Rest, new_secret},
};
use pasar_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use super::{AT, SECRET, open, parcel, settings};

fn failed(status: Option<u16>, detail: &str, next: Next) -> Sent {
    Sent::Failed(Failure {
        status,
        detail: detail.to_owned(),
        next,
    })
}

#[tokio::test]
async fn a_structured_event_is_posted_signed_and_its_answer_kept() {
    let receiver = Receiver::ok().await;
    let endpoint = open(json!({"url": receiver.url("/hook?a=b"), "secret": SECRET}));
    let parcel = parcel("msg_1", Format::Cloudevents);
    let sent = endpoint.send(&parcel).await;
    assert_eq!(
        sent,
        Sent::Delivered {
            status: Some(200),
            detail: Some("{}".to_owned())
        }
    );
    let [received] = &receiver.received()[..] else {
        panic!("expected one request");
    };
    assert_eq!(received.method, "POST");
    assert_eq!(received.path, "/hook?a=b");
    assert_eq!(received.body, parcel.body);
    let host = receiver.address().to_string();
    for (name, value) in [
        ("host", host.as_str()),
        ("content-type", "application/cloudevents+json"),
        ("user-agent", concat!("pasar/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    assert_eq!(received.header("ce-id"), None);
    let secret: Secret = SECRET.parse().unwrap();
    let id = signature::verify(&[secret], &received.headers, &received.body, AT);
    assert_eq!(id.as_deref(), Ok("msg_1"));
}

#[tokio::test]
async fn bare_data_carries_its_attributes_beside_it() {
    let receiver = Receiver::ok().await;
    let endpoint = open(json!({"url": receiver.url("/"), "method": "PUT", "secret": SECRET}));
    endpoint.send(&parcel("Gruß 1", Format::Raw)).await;
    let received = &receiver.received()[0];
    assert_eq!(received.method, "PUT");
    assert_eq!(received.body, "halo");
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("ce-specversion", "1.0"),
        ("ce-id", "Gru%C3%9F%201"),
        ("ce-type", "greeting.said"),
        ("ce-source", "/pasar/client"),
        ("ce-time", "2023-11-14T22:13:20Z"),
        ("ce-partitionkey", "R%C3%A4ume%201"),
        ("webhook-id", "Gru%C3%9F%201"),
    ] {
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    let secret: Secret = SECRET.parse().unwrap();
    signature::verify(&[secret], &received.headers, &received.body, AT).unwrap();
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    let receiver = Receiver::ok().await;
    let new = new_secret([3; 32]);
    let endpoint =
        open(json!({"url": receiver.url("/"), "secret": new, "previous_secret": SECRET}));
    endpoint.send(&parcel("msg_1", Format::Data)).await;
    let received = &receiver.received()[0];
    for text in [SECRET, &new] {
        let secret: Secret = text.parse().unwrap();
        signature::verify(&[secret], &received.headers, &received.body, AT).unwrap();
    }
    let signatures: Vec<_> = received
        .header("webhook-signature")
        .unwrap()
        .split(' ')
        .collect();
    assert_eq!(signatures.len(), 2);
}

#[tokio::test]
async fn without_a_secret_there_is_no_signature() {
    let receiver = Receiver::ok().await;
    open(json!({"url": receiver.url("/")}))
        .send(&parcel("msg_1", Format::Data))
        .await;
    let received = &receiver.received()[0];
    assert_eq!(received.header("webhook-signature"), None);
    assert_eq!(received.header("webhook-id"), Some("msg_1"));
}

#[tokio::test]
async fn own_headers_and_credentials_are_sent_and_never_come_back() {
    let receiver = Receiver::start(|received| {
        let names = ["authorization", "x-shop"];
        let echo = names.map(|name| received.header(name).map(str::to_owned));
        Reply::json(500, json!({"you sent": echo}))
    })
    .await;
    for (auth, sent) in [
        (
            json!({"type": "bearer", "token": "tok/en-1"}),
            "Bearer tok/en-1",
        ),
        (
            json!({"type": "basic", "username": "kopi", "password": "päss"}),
            "Basic a29waTpww6Rzcw==",
        ),
    ] {
        let endpoint = open(json!({
            "url": receiver.url("/"), "auth": auth, "headers": {"X-Shop": "hidden \"value\""},
        }));
        let outcome = endpoint.send(&parcel("msg_1", Format::Data)).await;
        let received = receiver.received().pop().unwrap();
        assert_eq!(received.header("authorization"), Some(sent));
        assert_eq!(received.header("x-shop"), Some("hidden \"value\""));
        let scheme = sent.split(' ').next().unwrap();
        let kept = format!(r#"{{"you sent":["{scheme} (secret)","(secret)"]}}"#);
        assert_eq!(outcome, failed(Some(500), &kept, Next::Retry));
    }
}

#[tokio::test]
async fn each_status_says_what_to_do_next() {
    let receiver = Receiver::ok().await;
    let endpoint = open(json!({"url": receiver.url("/")}));
    for (status, next) in [
        (100 + 300, Next::Retry),
        (401, Next::Retry),
        (404, Next::Retry),
        (410, Next::Gone),
        (429, Next::Retry),
        (500, Next::Retry),
        (503, Next::Retry),
    ] {
        receiver.answer_next(Reply::json(status, json!("why")));
        let sent = endpoint.send(&parcel("msg_1", Format::Data)).await;
        assert_eq!(sent, failed(Some(status), "\"why\"", next));
    }
    for status in [200, 201, 202, 299] {
        receiver.answer_next(Reply::json(status, json!({})));
        let sent = endpoint.send(&parcel("msg_1", Format::Data)).await;
        assert!(
            matches!(sent, Sent::Delivered { status: Some(s), .. } if s == status),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn a_hang_up_is_told_as_it_is_and_nothing_at_all_ends_with_the_attempt() {
    let receiver = Receiver::ok().await;
    let endpoint = open(json!({"url": receiver.url("/"), "timeout_ms": 150}));
    receiver.answer_next(Reply::HangUp);
    let sent = endpoint.send(&parcel("msg_1", Format::Data)).await;
    let closed = "the connection was closed before an answer";
    assert_eq!(sent, Sent::Unreachable(closed.to_owned()));
    for slow in [Reply::Never, Reply::ok().after(Duration::from_secs(60))] {
        receiver.answer_next(slow);
        let sent = endpoint.send(&parcel("msg_1", Format::Data)).await;
        assert_eq!(sent, failed(None, "no answer within 150 ms", Next::Retry));
    }
    assert_eq!(receiver.received().len(), 3);
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let url = "https://shop.example/hook";
    let long = format!("{url}?{}", "a".repeat(2_048));
    for (given, pointer) in [
        (json!({}), ""),
        (json!({"url": 1}), "/url"),
        (json!({"url": "shop.example"}), "/url"),
        (json!({"url": "ftp://shop.example"}), "/url"),
        (json!({"url": "https://me:pass@shop.example"}), "/url"),
        (json!({"url": "https://shop.example/#top"}), "/url"),
        (json!({"url": "https://shop.example:0/"}), "/url"),
        (json!({"url": long}), "/url"),
        (json!({"url": url, "method": "GET"}), "/method"),
        (json!({"url": url, "methods": "POST"}), "/methods"),
        (json!({"url": url, "headers": {"a b": "c"}}), "/headers/a b"),
        (
            json!({"url": url, "headers": {"a": "b\r\nc: d"}}),
            "/headers/a",
        ),
        (
            json!({"url": url, "headers": {"Host": "x"}}),
            "/headers/Host",
        ),
        (
            json!({"url": url, "headers": {"Content-Length": "1"}}),
            "/headers/Content-Length",
        ),
        (
            json!({"url": url, "headers": {"transfer-encoding": "chunked"}}),
            "/headers/transfer-encoding",
        ),
        (
            json!({"url": url, "headers": {"Webhook-Id": "x"}}),
            "/headers/Webhook-Id",
        ),
        (
            json!({"url": url, "headers": {"x": "y".repeat(9_000)}}),
            "/headers",
        ),
        (
            json!({"url": url, "auth": {"type": "digest"}}),
            "/auth/type",
        ),
        (
            json!({"url": url, "auth": {"type": "bearer", "token": "a b"}}),
            "/auth/token",
        ),
        (
            json!({"url": url, "auth": {"type": "basic", "username": "a:b", "password": ""}}),
            "/auth/username",
        ),
        (
            json!({"url": url, "auth": {"type": "bearer", "token": "a"}, "headers": {"Authorization": "b"}}),
            "/auth",
        ),
        (json!({"url": url, "secret": "whsec_c2hvcnQ="}), "/secret"),
        (
            json!({"url": url, "previous_secret": SECRET}),
            "/previous_secret",
        ),
        (json!({"url": url, "ca": "none"}), "/ca"),
        (json!({"url": url, "timeout_ms": 10}), "/timeout_ms"),
    ] {
        let refused = Rest.check(&settings(given.clone())).unwrap_err();
        assert_eq!(refused.pointer, pointer, "{given}: {refused}");
    }
    for good in [
        json!({"url": url}),
        json!({"url": "http://[2001:db8::1]:8080/a?b#".trim_end_matches('#')}),
        json!({"url": "https://tokó.example/", "headers": {"Authorization": "Token x"}}),
    ] {
        assert!(Rest.check(&settings(good)).is_ok());
    }
}

#[test]
fn the_schema_names_the_kind_and_every_setting() {
    let schema = serde_json::to_value(Rest.schema()).unwrap();
    assert_eq!(schema["properties"]["kind"]["enum"], json!(["rest"]));
    assert_eq!(schema["required"], json!(["kind", "url"]));
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    for secret in Rest.secrets() {
        let name = secret.split('/').nth(1).unwrap();
        assert!(schema["properties"][name].is_object(), "{name}");
    }
}
