//! Flows as clients read them: what happened because of one request, what of it was delivered where, and
//! what is still to come.

use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::relay::Attempt;

/// Messages that a page of a flow holds when the caller does not say.
pub const DEFAULT_FLOW_LIMIT: u16 = 100;
/// Messages that a page of a flow holds at most.
pub const MAX_FLOW_LIMIT: u16 = 200;
/// Attempts that are shown of one message: the newest.
pub const MAX_FLOW_ATTEMPTS: usize = 100;
/// Bytes of data that are shown of one message; larger data is left out.
pub const MAX_FLOW_DATA_BYTES: usize = 4_096;

/// Everything with one correlation id. A page holds the messages of one stretch of the log with their
/// deliveries: each cause before its effects, else by time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    #[schema(example = "flw_01h455vb4pex5vsknk084sn02q")]
    pub id: FlowId,
    pub steps: Vec<FlowStep>,
    /// What is still to come of the messages on this page, as far as it is known; empty once all is done.
    pub waiting_for: Vec<Waiting>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One thing that happened in a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FlowStep {
    /// A message of a client or an event of a service.
    Message(FlowMessage),
    /// A try to deliver one of the messages.
    Delivery(FlowDelivery),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlowMessage {
    /// Its place in the log.
    pub position: i64,
    /// When it happened; of a client's message, when it was accepted.
    pub at: Timestamp,
    #[schema(example = "orders")]
    pub topic: String,
    pub id: String,
    #[serde(rename = "type")]
    #[schema(example = "order.placed.v1")]
    pub message_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who asked for it: `user:usr_..`, `key:key_..:usr_..`, `service:orders`, `timer`, ..
    pub actor: String,
    /// What came directly before: the id of a message, `req_..` for a request, `effect:..`, `timer:..`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Bytes of its data.
    pub data_bytes: u64,
    /// The data, if it is JSON of at most 4096 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FlowDelivery {
    /// The subscription's name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// The kind of its destination (`rest`, `redis`, ..); absent once the subscription is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// `detail` is shown to staff and to the subscription's owner alone.
    #[serde(flatten)]
    pub attempt: Attempt,
}

/// What is still to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Waiting {
    /// A message that a subscription has not delivered yet.
    Delivery(WaitingDelivery),
    /// An event that somebody owes the flow.
    Event(WaitingEvent),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitingDelivery {
    pub subscription_id: SubscriptionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    pub position: i64,
    pub message_id: String,
    pub state: DeliveryState,
    /// Made so far.
    pub attempts: u32,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The position of the message that must be delivered before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<i64>,
    /// Shown to staff and to the subscription's owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// On its way, or in the queue of its destination.
    InFlight,
    /// It failed and is tried again at `due`.
    Retrying,
    /// The message at `behind` comes first.
    Held,
    /// Until somebody resumes the subscription.
    Paused,
    /// Until somebody mends the destination and resumes the subscription.
    Disabled,
    /// It was given up, until somebody replays it.
    DeadLetter,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingEvent {
    /// What it is about: an order's id.
    #[schema(example = "ord_01h455vb4pex5vsknk084sn02q")]
    pub key: String,
    pub from: WaitingFrom,
    /// Types of events, one of which comes next.
    #[schema(example = json!(["stock.reserved.v1", "stock.refused.v1"]))]
    pub one_of: Vec<String>,
    /// When the event that asks for it happened.
    pub since: Timestamp,
}

/// Who is to act next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFrom {
    Orders,
    Inventory,
    Payments,
    Staff,
    Customer,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FlowQuery {
    /// Messages a page, 1 to 200; 100 if absent. Their deliveries come with them.
    #[param(minimum = 1, maximum = 200, example = 100)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}
