//! Messages, subscriptions and dead letters as clients read and change them.

mod delivery;
mod subscription;

use pasar_types::{id::FlowId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

pub use self::{
    delivery::{
        Attempt, DeadLetter, DeadLettersDiscarded, DeadLettersInput, DeadLettersQuery,
        ReplayAccepted, ReplayInput,
    },
    subscription::{
        CreatedSubscription, DisableReason, Format, Ordering, RetryPolicy, Start, Subscription,
        SubscriptionInput, SubscriptionState,
    },
};

/// The topic that a message without one goes to.
pub const DEFAULT_TOPIC: &str = "client";
/// The type of a message that does not say.
pub const DEFAULT_TYPE: &str = "message";
/// Bytes of a topic or of a pattern of topics.
pub const MAX_TOPIC_BYTES: usize = 200;
/// Bytes of a message's id, type, key, source.
pub const MAX_NAME_BYTES: usize = 255;
/// Patterns, types or sources that one subscription names.
pub const MAX_PATTERNS: usize = 64;
/// Conditions on data that one subscription has.
pub const MAX_CONDITIONS: usize = 16;
/// Deliveries that one subscription may have in flight.
pub const MAX_CONCURRENCY: u16 = 1_024;
/// Deliveries a second that a subscription may ask for.
pub const MAX_RATE_PER_S: u32 = 100_000;
/// Attempts of one delivery.
pub const MAX_ATTEMPTS: u32 = 100;

/// A message as a client gives it. `{"text": "hello"}` is short for `{"topic": "client", "data": "hello"}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageInput {
    /// Short for `data` with a string. Not together with `data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "halo")]
    pub text: Option<String>,
    /// `client` if absent. Words of letters, digits, `-` and `_`, joined by dots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "client")]
    pub topic: Option<String>,
    /// `message` if absent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(example = "greeting.said")]
    pub message_type: Option<String>,
    /// Messages with the same key can be delivered in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "room-1")]
    pub key: Option<String>,
    /// Any JSON.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "given"
    )]
    #[schema(value_type = Value)]
    pub data: Option<Value>,
    /// The sender's own id: the same again on the same topic is the same message. Made if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "greeting-1")]
    pub id: Option<String>,
}

/// `null` is data; an absent field is none.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The message is durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageAccepted {
    #[schema(example = "Message sent")]
    pub message: String,
    #[schema(example = "msg_01h455vb4pex5vsknk084sn02q")]
    pub id: String,
}

/// A batch is durable: an id for each message, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagesAccepted {
    #[schema(example = "Messages sent")]
    pub message: String,
    pub ids: Vec<String>,
}

/// What the answer to messages says: the one form for one, the other for a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Accepted {
    One(MessageAccepted),
    Many(MessagesAccepted),
}

/// How messages are sent.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SendQuery {
    /// Where all of them go, whatever they say themselves.
    #[param(example = "client", max_length = 200)]
    pub topic: Option<String>,
}

/// Which messages of the log are listed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MessagesQuery {
    /// A topic, or a pattern of topics; all if absent.
    #[param(example = "client", max_length = 200)]
    pub topic: Option<String>,
    /// A type, or a pattern of types.
    #[serde(rename = "type")]
    pub message_type: Option<String>,
    pub key: Option<String>,
    /// Only messages after this position of the log; from the oldest that is kept if absent.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Messages a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before; goes on where that ended, whatever `after` says.
    pub cursor: Option<String>,
}

/// A structured CloudEvent (1.0.2, JSON) as it is sent. Further attributes are kept: strings, booleans and integers
/// under names of lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CloudEventInput {
    #[schema(pattern = "^1\\.0$", example = "1.0")]
    pub specversion: String,
    /// Unique in its topic.
    #[schema(min_length = 1, example = "sale-1")]
    pub id: String,
    #[schema(min_length = 1, example = "/till/2")]
    pub source: String,
    #[serde(rename = "type")]
    #[schema(min_length = 1, example = "item.sold")]
    pub event_type: String,
    /// `client` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "client")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Messages with the same key can be delivered in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
    /// `application/json` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// Any JSON; a string where `datacontenttype` is no JSON.
    #[serde(default)]
    #[schema(value_type = Value)]
    pub data: Value,
    /// Instead of `data`, for bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

/// A message as a structured CloudEvent (1.0.2, JSON), with the attributes that its sender added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// Unique in its topic.
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub topic: String,
    /// Its place in the log, a decimal number.
    pub position: String,
    pub time: Timestamp,
    /// The flow that it belongs to.
    pub correlationid: FlowId,
    /// Who sent it.
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subject: Option<String>,
    /// The message's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub partitionkey: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub datacontenttype: Option<String>,
    #[serde(default)]
    #[schema(value_type = Value)]
    pub data: Value,
    /// Data that is no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub data_base64: Option<String>,
}

/// How a live stream is read.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// Types of messages, joined by commas: `order.ready.v1`, `order.*`; all if absent.
    pub types: Option<String>,
    /// `cloudevents` if absent.
    pub format: Option<Format>,
    /// `now` (if absent), `earliest`, or the position after which to begin.
    #[param(example = "now")]
    pub start: Option<String>,
    /// The same as `Last-Event-ID`, for clients that cannot set a header.
    #[param(minimum = 0)]
    pub last_event_id: Option<i64>,
}
