//! Deliveries: what was tried, what could not be delivered, what is delivered again.

use pasar_types::{id::SubscriptionId, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

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
