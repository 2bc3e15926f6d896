//! Messages, subscriptions and dead letters as clients read and change them.

use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

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

/// In which order messages of one subscription are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// In any: a message that fails holds up no other.
    #[default]
    None,
    /// Of one key in the order of the log: a message that fails holds up its key. Without a key: in any.
    Key,
    /// All in the order of the log: a message that fails holds up all.
    Strict,
}

/// What of a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The whole message as a structured CloudEvent (JSON).
    #[default]
    Cloudevents,
    /// Its data, as JSON.
    Data,
    /// Its data; a string as bare text, without quotes.
    Raw,
}

/// From where on a new subscription takes messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// What is accepted from now on.
    #[default]
    Now,
    /// The oldest message that is kept.
    Earliest,
    /// The first message accepted at this time or later.
    Time(Timestamp),
    /// The first message after this position.
    Position(i64),
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

/// How failed deliveries are tried again. Pauses grow from `first_s` by `factor` to `most_s`, each drawn
/// at random between zero and its length (full jitter); `Retry-After` of the destination comes first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// Attempts at most, the first included.
    #[schema(minimum = 1, maximum = 100)]
    pub attempts: u32,
    /// Seconds after the first failure at most.
    #[schema(minimum = 1, maximum = 2592000)]
    pub within_s: u32,
    /// Seconds of the first pause.
    #[schema(minimum = 1, maximum = 86400)]
    pub first_s: u32,
    /// Seconds of the longest pause.
    #[schema(minimum = 1, maximum = 86400)]
    pub most_s: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 24,
            within_s: 3 * 24 * 60 * 60,
            first_s: 5,
            most_s: 6 * 60 * 60,
        }
    }
}

/// Which messages go to which destination, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionInput {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100, example = "kitchen printer")]
    pub name: Option<String>,
    /// Patterns of topics: `orders`, `orders.*`, `*`.
    #[schema(min_items = 1, max_items = 64, example = json!(["client"]))]
    pub topics: Vec<String>,
    /// Types of messages, `order.ready.v1` or `order.*`; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub types: Vec<String>,
    /// Sources (`/pasar/orders`); all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64)]
    pub sources: Vec<String>,
    /// Fields of the data by their dotted path, and the value (a string, number or boolean), or list of
    /// values, that each must have: `{"location_id": "loc_..", "total.currency": ["IDR", "EUR"]}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// `kind` and what that kind needs. Secrets in it are stored encrypted and never shown again.
    #[schema(value_type = Object, example = json!({"kind": "rest", "url": "https://shop.example/hook"}))]
    pub destination: Map<String, Value>,
    #[serde(default)]
    pub format: Format,
    #[serde(default)]
    pub ordering: Ordering,
    /// Only looked at when the subscription is created.
    #[serde(default)]
    pub start: Start,
    /// Deliveries in flight at once; the destination's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1024)]
    pub concurrency: Option<u16>,
    /// Deliveries a second at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100000)]
    pub rate_per_s: Option<u32>,
    #[serde(default)]
    pub retry: RetryPolicy,
}

/// Whether a subscription delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    Active,
    /// By its owner. What comes meanwhile is delivered once it is resumed.
    Paused,
    /// By the relay, as the destination failed for days or said that it is gone.
    Disabled,
}

/// Why the relay gave up on a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// It answered 410.
    Gone,
    /// It failed without one success for as long as the configuration allows.
    Failing,
}

/// A subscription as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    pub id: SubscriptionId,
    #[serde(flatten)]
    pub input: SubscriptionInput,
    pub state: SubscriptionState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<DisableReason>,
    /// Whose it is: the account that made it, by itself or with a key (`user:usr_..`); `operator` for one that
    /// the configuration declares.
    pub owner: String,
    /// Secrets that are set, by their place in `destination`.
    pub secrets: Vec<String>,
    /// Everything up to this position of the log is delivered, waits to be tried again, or is a dead letter.
    pub position: i64,
    /// Messages of the log after `position`, matching or not.
    pub behind: i64,
    /// Deliveries that wait to be tried again.
    pub retrying: i64,
    pub dead_letters: i64,
    /// Since when nothing was delivered, if the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A new subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedSubscription {
    #[serde(flatten)]
    pub subscription: Subscription,
    /// What deliveries are signed with, where the client gave no secret of its own. It is shown here only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub secret: Option<String>,
}

/// One try to deliver one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct Attempt {
    pub subscription_id: SubscriptionId,
    pub position: i64,
    #[schema(example = "msg_01h455vb4pex5vsknk084sn02q")]
    pub message_id: String,
    /// 1 for the first.
    pub attempt: u32,
    pub at: Timestamp,
    pub took_ms: f64,
    pub delivered: bool,
    /// What an HTTP destination answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The first bytes of the answer, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// A message that a subscription could not deliver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    pub subscription_id: SubscriptionId,
    pub position: i64,
    pub topic: String,
    pub message_id: String,
    pub message_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub attempts: u32,
    pub last_error: String,
    pub since: Timestamp,
}

/// What to deliver again. Exactly one of the fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReplayInput {
    /// These positions of the log.
    Positions(Vec<i64>),
    /// What matches after `after` up to `upto` (the head if absent).
    Range {
        after: i64,
        #[serde(default)]
        upto: Option<i64>,
    },
    /// What matches and was accepted at this time or later.
    Since(Timestamp),
    /// All of its dead letters.
    DeadLetters(bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayAccepted {
    /// Deliveries that were scheduled at once; a range or time goes on in the background.
    pub scheduled: u64,
}

/// Dead letters of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersInput {
    pub subscription: SubscriptionId,
    /// Their positions in the log; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 1000)]
    pub positions: Option<Vec<i64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLettersDiscarded {
    pub discarded: u64,
}

/// Narrows lists of attempts and dead letters.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersQuery {
    pub subscription: Option<SubscriptionId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}
