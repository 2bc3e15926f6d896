//! Orders as clients place, read and move them.

use std::fmt;

use pasar_types::{
    id::{LocationId, OrderId, RefundId, UserId},
    money::{Money, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::payments::PaymentState;
use crate::events::{inventory::Shortage, payments::NextAction};

/// Lines that one order may have.
pub const MAX_LINES: usize = 100;

/// How far an order is. The money has a state of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Stock and money are being secured.
    Placed,
    /// It will be made.
    Confirmed,
    Preparing,
    /// It waits to be collected.
    Ready,
    Collected,
    /// Nobody collected it until the business day ended.
    Abandoned,
    /// What it held is being given back.
    Cancelling,
    Cancelled,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Something could not be had: `shortages` tells what.
    OutOfStock,
    PaymentDeclined,
    CaptureFailed,
    /// The authorisation or the customer's action lapsed at the provider.
    PaymentLapsed,
    ReservationExpired,
    /// Not secured within its deadline.
    DeadlinePassed,
    /// Cash was not paid in time.
    NotPaid,
    CancelledByCustomer,
    CancelledByStaff,
}

/// What a customer wants.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderInput {
    /// Lines of the same product are added up.
    #[schema(min_items = 1, max_items = 100)]
    pub lines: Vec<OrderLineInput>,
    pub payment: OrderPaymentInput,
    /// The default location if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
    /// The order is refused if its total is not this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_total: Option<Money>,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, example = "less sugar")]
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderLineInput {
    pub sku: Sku,
    pub quantity: Quantity,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderPaymentInput {
    /// A configured payment provider.
    #[schema(pattern = "^[a-z0-9_-]{1,32}$", example = "sandbox")]
    pub method: String,
    /// What the provider needs to charge; cash needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, example = "tok_ok")]
    pub token: Option<String>,
}

/// An order as its owner and staff see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    pub id: OrderId,
    /// The short number of its location and business day.
    #[schema(minimum = 1, example = 57)]
    pub number: i64,
    pub state: OrderState,
    pub payment: OrderPayment,
    pub location_id: LocationId,
    /// Whose order it is; absent for orders without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<UserId>,
    pub lines: Vec<OrderLine>,
    /// The total without its tax.
    pub subtotal: Money,
    /// The tax that the total includes.
    pub tax: Money,
    pub total: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "less sugar")]
    pub note: Option<String>,
    /// When the order ends on its own: while `placed` and not secured, while `confirmed` and not paid,
    /// while `ready` and not collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// Follows this order without a login. Whoever has it sees the order: keep it from others.
    #[schema(
        example = "http://127.0.0.1:8080/v1/watch/AY3NrZ0Hf3a0yJk0b5xw3m9mZ9v8QmJw0o1pB2c3d4E"
    )]
    pub watch_url: String,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The money side of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderPayment {
    pub state: PaymentState,
    #[schema(example = "sandbox")]
    pub method: String,
    /// What the customer must do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderLine {
    pub sku: Sku,
    #[schema(example = "Milk coffee")]
    pub name: String,
    pub quantity: Quantity,
    pub unit_price: Money,
    pub tax_rate: TaxRate,
    /// The tax that the line's total includes, rounded half up.
    pub tax: Money,
    /// Quantity times unit price.
    pub total: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cancellation {
    pub reason: CancelReason,
    /// What could not be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
}

/// Money given back for an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Refund {
    pub id: RefundId,
    pub amount: Money,
    pub state: RefundState,
    /// What the money is for; empty if only an amount was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<OrderLineInput>,
    /// Whether those goods went back to stock.
    pub restock: bool,
    #[schema(example = "spilled")]
    pub reason: String,
    pub requested_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Payments was asked to give it back.
    Requested,
    Succeeded,
    /// The provider refused; staff is told.
    Failed,
}

/// How to cancel. An empty object will do.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelInput {
    /// Staff, from `preparing` on: whether the goods can be sold again. Before, they always can.
    #[serde(default)]
    pub restock: bool,
}

/// What to give back: an amount, or the price of lines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// In place of an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    pub lines: Option<Vec<OrderLineInput>>,
    /// Whether the goods of those lines can be sold again.
    #[serde(default)]
    pub restock: bool,
    #[schema(min_length = 1, max_length = 200, example = "spilled")]
    pub reason: String,
}

/// Which orders to list, the latest first.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OrdersQuery {
    pub state: Option<OrderState>,
    pub location: Option<LocationId>,
    /// An order's id, or its number (of the last seven days).
    #[param(min_length = 1, max_length = 64, example = "57")]
    pub q: Option<String>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// An order as anybody sees it who has its link: no personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WatchedOrder {
    pub id: OrderId,
    #[schema(minimum = 1, example = 57)]
    pub number: i64,
    pub state: OrderState,
    pub payment: OrderPayment,
    pub location_id: LocationId,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One change of an order, as its stream tells it. The stream's `event` is the type (`order.ready`),
/// its `id` the version; what belongs to the type alone (lines, reason, shortages, amount) stands beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrderChange {
    pub order_id: OrderId,
    pub location_id: LocationId,
    #[schema(minimum = 1, example = 57)]
    pub number: i64,
    /// The state after the change.
    pub state: OrderState,
    /// 1, 2, 3, .. for each order, without gaps.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
    pub time: Timestamp,
    #[serde(flatten)]
    #[schema(ignore)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// The location whose board is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BoardQuery {
    /// The default location if absent.
    pub location: Option<LocationId>,
}

/// The numbers that a counter calls, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    pub location_id: LocationId,
    #[schema(example = json!([58, 59]))]
    pub preparing: Vec<i64>,
    #[schema(example = json!([57]))]
    pub ready: Vec<i64>,
}

impl OrderState {
    pub const ALL: &[Self] = &[
        Self::Placed,
        Self::Confirmed,
        Self::Preparing,
        Self::Ready,
        Self::Collected,
        Self::Abandoned,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The word on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Collected => "collected",
            Self::Abandoned => "abandoned",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the order's own stock and money are no longer in flight.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Placed | Self::Cancelling)
    }

    /// Whether no state follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Collected | Self::Abandoned | Self::Cancelled)
    }
}

impl RefundState {
    pub const ALL: &[Self] = &[Self::Requested, Self::Succeeded, Self::Failed];

    /// The word in tables, on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The token can charge somebody: it is not printed.
impl fmt::Debug for OrderPaymentInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderPaymentInput")
            .field("method", &self.method)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_customer_may_not_decide_is_refused() {
        let read = |extra: &str| {
            let text = format!(
                r#"{{"lines":[{{"sku":"tea","quantity":1}}],"payment":{{"method":"cash"}}{extra}}}"#
            );
            serde_json::from_str::<OrderInput>(&text)
        };
        assert!(read("").is_ok());
        for extra in [
            r#","status":"confirmed""#,
            r#","price_minor":1"#,
            r#","owner":"usr_01h455vb4pex5vsknk084sn02q""#,
        ] {
            assert!(read(extra).is_err(), "{extra}");
        }
    }

    #[test]
    fn a_payment_token_is_not_printed() {
        let payment = OrderPaymentInput {
            method: "sandbox".to_owned(),
            token: Some("tok_secret".to_owned()),
        };
        assert!(!format!("{payment:?}").contains("tok_secret"));
    }
}
