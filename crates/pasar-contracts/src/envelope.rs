//! An event with all that travels beside its data: CloudEvents 1.0.2 in JSON, with the extension
//! attributes `correlationid`, `causationid`, `traceparent`, `sequence`, `epoch`, `partitionkey`,
//! `keyversion` and `actor`.

use pasar_types::{
    id::{EpochId, EventId, FlowId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One event as a service's feed serves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    pub specversion: SpecVersion,
    pub id: EventId,
    /// `/pasar/orders`
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    /// The aggregate that changed; its events carry `keyversion` 1..n.
    pub subject: String,
    pub time: Timestamp,
    pub datacontenttype: JsonContentType,
    pub correlationid: FlowId,
    /// What caused it: an event's, request's, effect's or timer's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who asked for the change: `user:usr_..`, `key:key_..`, `service:payments`, `anonymous`.
    pub actor: String,
    pub epoch: EpochId,
    /// Position in the publisher's feed. Decimal text, as CloudEvents' sequence extension wants it.
    #[serde(with = "decimal_text")]
    pub sequence: i64,
    pub partitionkey: String,
    pub keyversion: i64,
    pub data: Box<RawValue>,
    /// For services only: never copied by the relay, never shown on a screen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub private: Option<Box<RawValue>>,
}

/// `1.0`; any other version is refused when read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecVersion {
    #[default]
    #[serde(rename = "1.0")]
    V1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JsonContentType {
    #[default]
    #[serde(rename = "application/json")]
    Json,
}

mod decimal_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}
