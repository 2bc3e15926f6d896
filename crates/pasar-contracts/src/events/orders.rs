//! What the orders service publishes. The key is the order id.
//!
//! Each change of an order is one event. A change of state is named for the state; what is recorded
//! without one is named for what was recorded (`order.stock_reserved`, `order.refunded`).

use pasar_types::{
    id::{LocationId, OrderId, RefundId, UserId},
    money::{Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::inventory::Shortage;
use crate::{api::orders::CancelReason, event::events};

/// The ids that every order event carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderRef {
    pub order_id: OrderId,
    pub location_id: LocationId,
    /// The short number of its location and business day.
    pub number: i64,
    /// Whose order it is; absent for orders without an account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub customer_id: Option<UserId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlacedLine {
    pub sku: Sku,
    pub quantity: Quantity,
    pub unit_price: Money,
    pub tax_rate: TaxRate,
    /// Quantity times unit price, tax included.
    pub total: Money,
}

/// What the provider needs to authorise it is told to payments alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderPlaced {
    #[serde(flatten)]
    pub order: OrderRef,
    pub lines: Vec<PlacedLine>,
    pub total: Money,
    /// The payment provider that the customer chose.
    pub method: String,
    /// When orders gives up; others may only do so later.
    pub deadline: Timestamp,
}

/// What the provider needs to authorise; for payments alone. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentToken {
    pub token: String,
}

impl std::fmt::Debug for PaymentToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PaymentToken(..)")
    }
}

/// What the customer must do is told to services alone; customers ask their order for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderActionRequired {
    #[serde(flatten)]
    pub order: OrderRef,
    pub expires_at: Timestamp,
}

/// Stock and money are both held: payments may capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderSecured {
    #[serde(flatten)]
    pub order: OrderRef,
}

/// The reservation becomes a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderConfirmed {
    #[serde(flatten)]
    pub order: OrderRef,
    /// False while cash is still due.
    pub paid: bool,
}

/// Inventory and payments undo what they hold and answer, also when there is nothing to undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderCancelling {
    #[serde(flatten)]
    pub order: OrderRef,
    pub reason: CancelReason,
    /// Whether goods that were already sold return to stock.
    pub restock: bool,
    /// Who asked is staff, who thereby states that cash was handed back.
    pub by_staff: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderCancelled {
    #[serde(flatten)]
    pub order: OrderRef,
    pub reason: CancelReason,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub shortages: Vec<Shortage>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderPreparing {
    #[serde(flatten)]
    pub order: OrderRef,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderReady {
    #[serde(flatten)]
    pub order: OrderRef,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderCollected {
    #[serde(flatten)]
    pub order: OrderRef,
}

/// Nobody came until the day's cut-off. Payments voids what is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderAbandoned {
    #[serde(flatten)]
    pub order: OrderRef,
}

/// Payments gives the money back; inventory takes `restock` back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderRefundRequested {
    #[serde(flatten)]
    pub order: OrderRef,
    pub refund_id: RefundId,
    pub amount: Money,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub restock: Vec<super::inventory::ReservedLine>,
    pub reason: String,
}

macro_rules! recorded {
    ($($(#[$doc:meta])* $event:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
        pub struct $event {
            #[serde(flatten)]
            pub order: OrderRef,
        }
    )*};
}

recorded! {
    OrderStockReserved;
    OrderStockRefused;
    OrderStockExpired;
    OrderStockReleased;
    OrderStockSold;
    /// Authorised, or due (cash).
    OrderPaymentAuthorized;
    OrderPaymentDeclined;
    OrderPaymentCaptured;
    OrderPaymentCaptureFailed;
    OrderPaymentVoided;
    OrderRefunded;
    OrderRefundFailed;
}

events! { Orders:
    OrderPlaced = "order.placed.v1",
    OrderActionRequired = "order.action_required.v1",
    OrderSecured = "order.secured.v1",
    OrderConfirmed = "order.confirmed.v1",
    OrderCancelling = "order.cancelling.v1",
    OrderCancelled = "order.cancelled.v1",
    OrderPreparing = "order.preparing.v1",
    OrderReady = "order.ready.v1",
    OrderCollected = "order.collected.v1",
    OrderAbandoned = "order.abandoned.v1",
    OrderRefundRequested = "order.refund_requested.v1",
    OrderStockReserved = "order.stock_reserved.v1",
    OrderStockRefused = "order.stock_refused.v1",
    OrderStockExpired = "order.stock_expired.v1",
    OrderStockReleased = "order.stock_released.v1",
    OrderStockSold = "order.stock_sold.v1",
    OrderPaymentAuthorized = "order.payment_authorized.v1",
    OrderPaymentDeclined = "order.payment_declined.v1",
    OrderPaymentCaptured = "order.payment_captured.v1",
    OrderPaymentCaptureFailed = "order.payment_capture_failed.v1",
    OrderPaymentVoided = "order.payment_voided.v1",
    OrderRefunded = "order.refunded.v1",
    OrderRefundFailed = "order.refund_failed.v1",
}
