//! Subscriptions: which messages go to which destination, and how.

use pasar_types::{id::SubscriptionId, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

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
