//! The other end of a kind of destination, and what the suite sends to it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use pasar_contracts::api::relay::Format;
use pasar_relay::{
    destination::{Destination, Network, Parcel, Sent},
    destinations::{self, guard::Guard},
    format::encode,
    message::Message,
};
use pasar_testkit::servers::Server;
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde_json::Value;

/// A real client of a kind's server.
pub(super) trait End: Sized {
    /// As `Server::shared` calls it.
    const SERVER: &'static str;
    /// What names begin with that the server's limited user may use, if it has such rules.
    const ALLOWED: Option<&'static str>;
    /// Whether a message's attributes go along beside its body.
    const HAS_ATTRIBUTES: bool;
    /// Whether it gets later what came while it was away.
    const IS_DURABLE: bool;
    /// Whether a client of the server uses only the address that it was given.
    const CAN_BE_CUT: bool;

    /// The settings of a destination called `name` there: with `kind`.
    fn settings(access: &Access, name: &str) -> Value;

    /// Listens to what is sent to `name` once this returns; if durable, also to what was sent before.
    async fn listen(server: &Server, name: &str) -> Self;

    /// The next message. Waits without end.
    async fn next(&mut self) -> Got;
}

/// How a destination gets to a server.
pub(super) struct Access {
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    pub(super) ca: Option<String>,
    pub(super) user: String,
    pub(super) password: String,
}

impl Access {
    pub(super) fn plain(server: &Server) -> Self {
        Self {
            host: "127.0.0.1",
            port: server.port,
            is_tls: false,
            ca: None,
            user: server.user.clone(),
            password: server.password.clone(),
        }
    }

    pub(super) fn tls(server: &Server, ca: &str) -> Self {
        Self {
            host: "localhost",
            port: server.tls_port,
            is_tls: true,
            ca: Some(ca.to_owned()),
            ..Self::plain(server)
        }
    }

    /// `redis://127.0.0.1:6379`, with the scheme for where there is TLS and where not.
    pub(super) fn url(&self, plain: &str, encrypted: &str) -> String {
        let scheme = if self.is_tls { encrypted } else { plain };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) body: Vec<u8>,
    pub(super) content_type: String,
    /// CloudEvents attributes, without what the protocol puts before their names.
    pub(super) attributes: BTreeMap<String, String>,
}

impl Got {
    /// Of a protocol that carries nothing but bytes: what they tell themselves.
    pub(super) fn body_only(body: Vec<u8>) -> Self {
        let mut attributes = BTreeMap::new();
        if let Ok(Value::Object(event)) = serde_json::from_slice(&body) {
            for name in ["id", "position"] {
                let text = event.get(name).and_then(Value::as_str);
                attributes.extend(text.map(|text| (name.to_owned(), text.to_owned())));
            }
        } else if let Some(number) = str::from_utf8(&body)
            .ok()
            .and_then(|text| text.strip_prefix("message "))
        {
            attributes.insert("id".to_owned(), format!("msg_{number}"));
        }
        Self {
            body,
            content_type: String::new(),
            attributes,
        }
    }

    /// Its place in the log.
    pub(super) fn position(&self) -> i64 {
        self.attributes["position"].parse().unwrap()
    }

    pub(super) fn id(&self) -> &str {
        &self.attributes["id"]
    }
}

pub(super) fn network(guard: Guard) -> Network {
    Network {
        guard,
        connect_timeout: Duration::from_secs(10),
        attempt_timeout: Duration::from_secs(10),
    }
}

/// The destination that these settings describe.
pub(super) fn open(settings: &Value, guard: Guard) -> Arc<dyn Destination> {
    let settings = settings.as_object().unwrap();
    let kind = destinations::KINDS
        .iter()
        .find(|kind| settings["kind"] == kind.name())
        .unwrap();
    assert!(kind.outage_is_free());
    kind.check(settings).unwrap();
    kind.open(settings, &network(guard)).unwrap()
}

/// A name that no other test uses, and no earlier run.
pub(super) fn new_name(start: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    let started = std::fs::metadata("/proc/self")
        .and_then(|entry| entry.modified())
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{start}t{started}-{process}-{count}")
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
        content_type: encoded.content_type.into(),
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
