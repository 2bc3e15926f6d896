//! What the payments service publishes. The key is the order id: an order has one payment.

use pasar_types::{
    id::{LocationId, OrderId, PaymentId, RefundId},
    money::Money,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::events;

/// The ids that every payment event carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRef {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub location_id: LocationId,
}

/// The intent is recorded; its provider has not answered yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentInitiated {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub amount: Money,
    /// The configured provider (`sandbox`, `cash`, ..).
    pub method: String,
}

/// What the customer must do is told to services alone; customers ask their order for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRequiresAction {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub expires_at: Timestamp,
}

/// What the customer must do to pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NextAction {
    /// Open the address and follow it.
    Redirect {
        #[schema(example = "https://pay.example/3ds/abc")]
        url: String,
        expires_at: Timestamp,
    },
    /// Show this text as a QR code.
    Qr {
        #[schema(example = "00020101021226...")]
        payload: String,
        expires_at: Timestamp,
    },
}

/// Cash: to be paid at the counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDue {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentAuthorized {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub amount: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDeclined {
    #[serde(flatten)]
    pub payment: PaymentRef,
    /// The provider's code, such as `card_declined`.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentCaptured {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub amount: Money,
}

/// The capture is refused for good; the authorisation may still be voided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentCaptureFailed {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub reason: String,
}

/// Nothing is authorised and nothing was taken; also the answer when there was nothing to void.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentVoided {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub reason: VoidReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// The order asked for it.
    Requested,
    /// The provider let the authorisation or the action lapse.
    Lapsed,
    /// There was nothing to void.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRefunded {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub refund_id: RefundId,
    pub amount: Money,
    /// All that was given back so far, this included.
    pub refunded_total: Money,
    /// Whether nothing of what was captured is left.
    pub in_full: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentRefundFailed {
    #[serde(flatten)]
    pub payment: PaymentRef,
    pub refund_id: RefundId,
    pub amount: Money,
    pub reason: String,
}

events! { Payments:
    PaymentInitiated = "payment.initiated.v1",
    PaymentRequiresAction = "payment.requires_action.v1",
    PaymentDue = "payment.due.v1",
    PaymentAuthorized = "payment.authorized.v1",
    PaymentDeclined = "payment.declined.v1",
    PaymentCaptured = "payment.captured.v1",
    PaymentCaptureFailed = "payment.capture_failed.v1",
    PaymentVoided = "payment.voided.v1",
    PaymentRefunded = "payment.refunded.v1",
    PaymentRefundFailed = "payment.refund_failed.v1",
}
