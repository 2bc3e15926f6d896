//! What the relay publishes about itself. The key is the subscription id.
//!
//! Messages are not events of the relay: they stand in its log. What it decides about a subscription does
//! stand here, and is copied into the log as every service's events are.

use pasar_types::id::SubscriptionId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{api::relay::DisableReason, event::events};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionCreated {
    pub subscription_id: SubscriptionId,
    /// The destination's kind (`rest`, `redis`, ..).
    pub kind: String,
}

/// What it takes, or where and how it delivers, was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionChanged {
    pub subscription_id: SubscriptionId,
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionPaused {
    pub subscription_id: SubscriptionId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionResumed {
    pub subscription_id: SubscriptionId,
}

/// The relay gave up on the destination until somebody resumes the subscription. Nothing is lost meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionDisabled {
    pub subscription_id: SubscriptionId,
    pub reason: DisableReason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionDeleted {
    pub subscription_id: SubscriptionId,
}

/// It held the log for longer than it may: messages after `after` up to `upto` are gone for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionOverrun {
    pub subscription_id: SubscriptionId,
    pub after: i64,
    pub upto: i64,
}

/// A message was tried for as long as the subscription says; it lies among the dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageDeadLettered {
    pub subscription_id: SubscriptionId,
    pub topic: String,
    pub message_id: String,
    pub position: i64,
    pub attempts: u32,
}

events! { Relay:
    SubscriptionCreated = "subscription.created.v1",
    SubscriptionChanged = "subscription.changed.v1",
    SubscriptionPaused = "subscription.paused.v1",
    SubscriptionResumed = "subscription.resumed.v1",
    SubscriptionDisabled = "subscription.disabled.v1",
    SubscriptionDeleted = "subscription.deleted.v1",
    SubscriptionOverrun = "subscription.overrun.v1",
    MessageDeadLettered = "message.dead_lettered.v1",
}
