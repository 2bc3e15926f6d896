//! What RabbitMQ, Kafka and MQTT do beyond what every destination does, against the real servers.

mod kafka;
mod mqtt;
mod rabbitmq;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::{
    destination::{Destination, Kind, Network, Next, Parcel, Sent},
    destinations::guard::Guard,
    format::encode,
    message::Message,
};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::{Map, Value};

/// What came out at the other end.
#[derive(Debug)]
struct Got {
    body: Bytes,
    content_type: String,
    attributes: BTreeMap<String, String>,
}

const NOW: Timestamp = Timestamp::from_micros(1_764_000_000_000_000);

fn network() -> Network {
    Network {
        guard: Guard::open(),
        connect_timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(10),
        tasks: Tasks::new(),
    }
}

fn message(id: &str, key: Option<&str>, text: &str) -> Message {
    Message {
        position: 1,
        topic: "client".into(),
        id: id.into(),
        message_type: "greeting.said".into(),
        source: "/pasar/client".into(),
        subject: None,
        key: key.map(Into::into),
        time: NOW,
        accepted_at: NOW,
        flow: FlowId::from_bytes([1; 16]),
        causation: None,
        traceparent: None,
        actor: "anonymous".into(),
        origin: None,
        content_type: None,
        data: serde_json::to_vec(text).unwrap().into(),
        extensions: None,
    }
}

fn parcel(message: Message, format: Format) -> Parcel {
    let encoded = encode(&message, format);
    Parcel {
        subscription: SubscriptionId::from_bytes([2; 16]),
        message: Arc::new(message),
        body: encoded.body,
        content_type: encoded.content_type,
        attempt: 1,
        at: NOW,
    }
}

fn raw(id: &str, key: Option<&str>, text: &str) -> Parcel {
    parcel(message(id, key, text), Format::Raw)
}

fn open(kind: &dyn Kind, settings: &Value) -> Arc<dyn Destination> {
    let settings = object(settings);
    kind.check(&settings).unwrap();
    kind.open(&settings, &network()).unwrap()
}

fn object(settings: &Value) -> Map<String, Value> {
    settings
        .as_object()
        .expect("settings are an object")
        .clone()
}

#[track_caller]
fn assert_delivered(sent: &Sent) {
    assert!(matches!(sent, Sent::Delivered { .. }), "{sent:?}");
}

/// What a failure says, and what comes next.
#[track_caller]
fn failed(sent: Sent) -> (String, Next) {
    match sent {
        Sent::Failed(failure) => (failure.detail, failure.next),
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// A name that no other test uses.
fn fresh(stem: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{stem}-{}-{count}", std::process::id())
}

/// The message of the tests that look at one, in every form a client cares for.
#[track_caller]
fn assert_is_raw_halo(got: &Got) {
    assert_eq!(&got.body[..], b"halo");
    assert_eq!(got.content_type, "text/plain; charset=utf-8");
    for (name, text) in [
        ("id", "msg-1"),
        ("type", "greeting.said"),
        ("source", "/pasar/client"),
        ("topic", "client"),
        ("partitionkey", "room-1"),
        ("specversion", "1.0"),
    ] {
        assert_eq!(
            got.attributes.get(name).map(String::as_str),
            Some(text),
            "{name}"
        );
    }
}
