//! What the suite sends to the other ends.

use std::{sync::Arc, time::Duration};

use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::{
    destination::{Destination, Network, Parcel, Sent},
    destinations::{self, guard::Guard},
    format::encode,
    message::Message,
};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::Value;

pub(super) fn network(guard: Guard) -> Network {
    Network {
        guard,
        connect_timeout: Duration::from_secs(10),
        attempt_timeout: Duration::from_secs(10),
        tasks: Tasks::new(),
    }
}

/// The destination that these settings describe.
pub(super) fn open(settings: &Value, guard: Guard) -> Arc<dyn Destination> {
    open_owned(settings, guard, &Tasks::new())
}

/// The same, with the owner of what it runs.
pub(super) fn open_owned(settings: &Value, guard: Guard, tasks: &Tasks) -> Arc<dyn Destination> {
    let mut network = network(guard);
    network.tasks = tasks.clone();
    let settings = settings.as_object().unwrap();
    let kind = destinations::KINDS
        .iter()
        .find(|kind| settings["kind"] == kind.name())
        .unwrap();
    assert!(kind.outage_is_free());
    kind.check(settings).unwrap();
    kind.open(settings, &network).unwrap()
}

/// A message with a text.
pub(super) fn message(position: i64, text: &str) -> Message {
    Message {
        position,
        topic: "client".into(),
        id: format!("msg_{position}").into(),
        message_type: "greeting.said".into(),
        source: "/pasar/client".into(),
        subject: Some("room".into()),
        key: Some("room-1".into()),
        time: Timestamp::from_micros(1_795_600_000_000_000),
        accepted_at: Timestamp::from_micros(1_795_600_000_000_001),
        flow: FlowId::from_bytes([3; 16]),
        causation: None,
        traceparent: None,
        actor: "key:1".into(),
        origin: None,
        content_type: None,
        data: serde_json::to_vec(text).unwrap().into(),
        extensions: Some(r#"{"tenant":"warung"}"#.into()),
    }
}

pub(super) fn parcel(message: Message, format: Format) -> Parcel {
    let encoded = encode(&message, format);
    Parcel {
        subscription: SubscriptionId::from_bytes([9; 16]),
        message: Arc::new(message),
        body: encoded.body,
        content_type: encoded.content_type,
        attempt: 1,
        at: Timestamp::from_micros(1_795_600_000_000_002),
    }
}

/// A small one with a number.
pub(super) fn numbered(position: i64) -> Parcel {
    parcel(
        message(position, &format!("message {position}")),
        Format::Raw,
    )
}

pub(super) fn is_delivered(sent: &Sent) -> bool {
    matches!(sent, Sent::Delivered { .. })
}

pub(super) fn is_unreachable(sent: &Sent) -> bool {
    matches!(sent, Sent::Unreachable(_))
}
