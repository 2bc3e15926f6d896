//! What the tests of commands need: a store on the test's own thread, a kind of destination, and messages.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use pasar_chassis::keyring::Keyring;
use pasar_contracts::{api::relay::SubscriptionInput, event::Service};
use pasar_testkit::store::TestStore;
use pasar_types::id::{FlowId, SubscriptionId};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema as _;

use crate::{
    MIGRATIONS,
    commands::{
        append_messages::{AppendMessages, Flows, NewMessage, append_messages},
        create_subscription::{self, CreateSubscription, create_subscription},
    },
    destination::{Destination, InvalidSettings, Kind, Network},
    message::Message,
    subscription::Stored,
    tables::{progress, subscriptions},
    vault::{Kinds, Vault},
};

/// A store with what subscriptions are opened with.
pub(crate) struct Bench {
    store: TestStore,
    pub(crate) vault: Vault,
}

impl Deref for Bench {
    type Target = TestStore;

    fn deref(&self) -> &TestStore {
        &self.store
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let store = TestStore::open(Service::Relay, MIGRATIONS);
        let vault = Vault {
            keyring: Keyring::ephemeral(&*store.ids),
            kinds: Kinds(&[&Probe]),
        };
        Self { store, vault }
    }

    pub(crate) fn create(&self, input: SubscriptionInput) -> create_subscription::Outcome {
        let command = CreateSubscription {
            input,
            owner: "operator".to_owned(),
            declared: None,
        };
        let vault = self.vault.clone();
        self.given(move |ctx| create_subscription(ctx, &vault, &command))
    }

    /// The subscription, of which there is one.
    pub(crate) fn only(&self) -> Stored {
        let first = SubscriptionId::from_bytes([0; 16]);
        let mut all = self
            .store
            .store
            .read_now(|tx| subscriptions::after(tx, None, first, 2))
            .unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub(crate) fn progress(&self, id: SubscriptionId) -> progress::Progress {
        let read = self.store.store.read_now(|tx| progress::find(tx, id));
        read.unwrap().unwrap()
    }

    pub(crate) fn publish(&self, topic: &str, key: &str) {
        let mut command = AppendMessages {
            messages: vec![NewMessage {
                message: Arc::new(message(topic, Some(key), &json!({}))),
                has_id: false,
                flow: None,
            }],
            flows: Flows::OfTheRequest,
        };
        self.given(move |ctx| append_messages(ctx, &mut command));
    }
}

/// A subscription of topic `client` to some destination.
pub(crate) fn input(destination: Value) -> SubscriptionInput {
    let mut input = json!({"topics": ["client"]});
    input["destination"] = destination;
    serde_json::from_value(input).unwrap()
}

pub(crate) fn message(topic: &str, key: Option<&str>, data: &Value) -> Message {
    let time = pasar_types::time::Timestamp::from_micros(0);
    Message {
        position: 0,
        topic: topic.into(),
        id: "".into(),
        message_type: "message".into(),
        source: "/pasar/client".into(),
        subject: None,
        key: key.map(Into::into),
        time,
        accepted_at: time,
        flow: FlowId::from_bytes([0; 16]),
        causation: None,
        traceparent: None,
        actor: "".into(),
        origin: None,
        content_type: None,
        data: Bytes::from(data.to_string()),
        extensions: None,
    }
}

/// A kind that is only stored, never opened.
struct Probe;

impl Kind for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn secrets(&self) -> &'static [&'static str] {
        &["/token"]
    }

    fn check(&self, settings: &Map<String, Value>) -> Result<(), InvalidSettings> {
        if settings.contains_key("to") {
            return Ok(());
        }
        Err(InvalidSettings {
            pointer: "/to".to_owned(),
            why: "expected a name".to_owned(),
        })
    }

    fn open(
        &self,
        _: &Map<String, Value>,
        _: &Network,
    ) -> Result<Arc<dyn Destination>, InvalidSettings> {
        Err(InvalidSettings {
            pointer: String::new(),
            why: "a probe is never opened".to_owned(),
        })
    }

    fn default_concurrency(&self) -> u16 {
        4
    }

    fn outage_is_free(&self) -> bool {
        false
    }

    fn schema(&self) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        Value::schema()
    }
}
