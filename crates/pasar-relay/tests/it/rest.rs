//! The destination `rest` on real connections.

mod answers;
mod connections;
pub(crate) mod raw_server;
mod standard_webhooks;
mod tls;
mod tls_server;

use std::{sync::Arc, time::Duration};

use pasar_contracts::api::relay::Format;
use pasar_feed::tasks::Tasks;
use pasar_relay::{
    destination::{Destination, Kind as _, Network, Parcel, Sent},
    destinations::{guard::Guard, rest::Rest},
    format::encode,
    message::Message,
};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

/// 2023-11-14T22:13:20Z
pub(crate) const AT: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn network(guard: Guard) -> Network {
    Network {
        guard,
        connect_timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(15),
        tasks: Tasks::new(),
    }
}

pub(crate) fn settings(settings: Value) -> Map<String, Value> {
    let Value::Object(mut settings) = settings else {
        panic!("settings are an object");
    };
    settings.insert("kind".to_owned(), "rest".into());
    settings
}

/// With the guard open, and the owner of what it runs.
fn open_owned(given: Value, tasks: &Tasks) -> Arc<dyn Destination> {
    let mut network = network(Guard::open());
    network.tasks = tasks.clone();
    Rest.open(&settings(given), &network).unwrap()
}

/// With the guard open.
fn open(given: Value) -> Arc<dyn Destination> {
    open_with(given, Guard::open())
}

pub(crate) fn open_with(given: Value, guard: Guard) -> Arc<dyn Destination> {
    Rest.open(&settings(given), &network(guard)).unwrap()
}

pub(crate) fn parcel(id: &str, format: Format) -> Parcel {
    let message = Message {
        position: 7,
        topic: "client".into(),
        id: id.into(),
        message_type: "greeting.said".into(),
        source: "/pasar/client".into(),
        subject: None,
        key: Some("Räume 1".into()),
        time: AT,
        accepted_at: AT,
        flow: FlowId::from_bytes([7; 16]),
        causation: None,
        traceparent: None,
        actor: "key:key_1".into(),
        origin: None,
        content_type: None,
        data: json!("halo").to_string().into(),
        extensions: None,
    };
    let encoded = encode(&message, format);
    Parcel {
        subscription: SubscriptionId::from_bytes([1; 16]),
        message: Arc::new(message),
        body: encoded.body,
        content_type: encoded.content_type,
        attempt: 1,
        at: AT,
    }
}

pub(crate) fn is_delivered(sent: &Sent) -> bool {
    matches!(sent, Sent::Delivered { .. })
}
