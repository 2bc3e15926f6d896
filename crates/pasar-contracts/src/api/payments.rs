//! Payments and the ledger as staff read them, and what a provider and Pasar say to each other
//! (`docs/http-provider.md`).

use std::fmt;

use pasar_types::{
    id::{FlowId, LedgerTransactionId, LocationId, OrderId, PaymentId, RefundId},
    money::Money,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::events::payments::NextAction;

/// Where the money of one order stands. An unknown result reads as the last known state.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The provider has not answered yet.
    Pending,
    /// The customer must do something first.
    RequiresAction,
    /// Cash: to be paid at the counter.
    Due,
    Authorized,
    Captured,
    PartiallyRefunded,
    Refunded,
    Declined,
    /// Nothing is held and nothing was taken.
    Voided,
}

/// What Pasar asks of a provider.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Authorize,
    Capture,
    Void,
    Refund,
    LookUp,
}

impl PaymentState {
    pub const ALL: &[Self] = &[
        Self::Pending,
        Self::RequiresAction,
        Self::Due,
        Self::Authorized,
        Self::Captured,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Declined,
        Self::Voided,
    ];

    /// The word in tables, on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Due => "due",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }
}

impl Operation {
    pub const ALL: &[Self] = &[
        Self::Authorize,
        Self::Capture,
        Self::Void,
        Self::Refund,
        Self::LookUp,
    ];

    /// The word in tables, on the wire and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::LookUp => "look_up",
        }
    }
}

impl fmt::Display for PaymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The customer's means of payment as the provider's own page named it. Never a card number, and
/// never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// One payment: an order has exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub state: PaymentState,
    /// The configured provider (`sandbox`, `cash`, ..).
    #[schema(example = "sandbox")]
    pub method: String,
    pub amount: Money,
    /// What the provider (or the till) took.
    pub captured: Money,
    /// What was given back of it.
    pub refunded: Money,
    /// What is being given back at the moment.
    pub refunding: Money,
    /// Asked of the provider and not answered yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub in_flight: Option<Operation>,
    /// True when a cancelled order's cash waits for staff to hand it back.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub awaits_hand_back: bool,
    /// Why it was declined, or why its capture failed: the provider's code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "card_declined")]
    pub reason: Option<String>,
    /// The flow of its order, for `GET /v1/flows/{id}`.
    pub flow_id: FlowId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authorized_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub captured_at: Option<Timestamp>,
}

/// One payment with its refunds and with what did not go smoothly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentDetail {
    #[serde(flatten)]
    pub payment: Payment,
    pub refunds: Vec<Refund>,
    /// Operations that had to be tried again, and why.
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentRefundState)]
pub enum RefundState {
    Requested,
    Succeeded,
    Failed,
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

/// Money given back, whole or part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PaymentRefund)]
pub struct Refund {
    pub id: RefundId,
    pub state: RefundState,
    pub amount: Money,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(example = "exceeds_captured")]
    pub reason: Option<String>,
    pub requested_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_at: Option<Timestamp>,
}

/// The tries of one operation whose result did not come or could not be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    pub operation: Operation,
    /// How many tries went wrong.
    #[schema(example = 2)]
    pub failures: i64,
    #[schema(example = "no answer within 10 s")]
    pub last_error: String,
    pub first_failed_at: Timestamp,
    pub last_failed_at: Timestamp,
}

/// Filter of the list of payments.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PaymentQuery {
    /// The payment of this order alone.
    pub order_id: Option<OrderId>,
    /// Rows a page, 1 to 200; 20 if absent.
    #[param(minimum = 1, maximum = 200, example = 20)]
    pub limit: Option<u16>,
    /// From the page before.
    pub cursor: Option<String>,
}

/// What the ledger says of one account in one currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Balance {
    /// `provider:{name}`, `cash_drawer`, `sales` or `refunds`.
    #[schema(example = "provider:sandbox")]
    pub account: String,
    /// The sum of its entries: what we hold is positive, what we earned negative.
    pub balance: Money,
    /// How many entries were added up.
    #[schema(example = 12)]
    pub entries: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Balances {
    pub items: Vec<Balance>,
}

/// One line of the ledger. The lines of a transaction add up to zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    pub transaction_id: LedgerTransactionId,
    #[schema(example = "provider:sandbox")]
    pub account: String,
    pub amount: Money,
    pub payment_id: PaymentId,
    /// Present when the transaction gave money back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_id: Option<RefundId>,
    pub at: Timestamp,
}

/// What Pasar sends to the merchant's own URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderRequest {
    pub operation: Operation,
    /// Our reference: the payment's id. The same in every operation of one payment.
    pub reference: PaymentId,
    /// What to authorise, capture or refund.
    pub amount: Money,
    /// The customer's means of payment, from the order; only with `authorize`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<Token>,
    /// Which refund; with `refund`, and with `look_up` when one refund is asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_id: Option<RefundId>,
    /// The same again means the same request again, which must not take effect twice.
    pub idempotency_key: String,
}

/// What a provider knows of a payment, or did with it; what the merchant's URL answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ProviderAnswer {
    Authorized,
    /// The whole amount was taken.
    Captured,
    /// Refused for good.
    Declined {
        /// A code such as `card_declined`; at most 64 characters are kept.
        #[serde(default)]
        #[schema(example = "card_declined")]
        reason: String,
    },
    RequiresAction {
        next_action: NextAction,
    },
    Refunded,
    Voided,
    NotFound,
}

impl ProviderAnswer {
    /// The word on the wire.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Declined { .. } => "declined",
            Self::RequiresAction { .. } => "requires_action",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
            Self::NotFound => "not_found",
        }
    }
}

/// A provider tells what happened, without being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderNotice {
    /// Our reference: the payment's id.
    pub reference: PaymentId,
    /// Which refund, when a refund is what it tells of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_id: Option<RefundId>,
    #[serde(flatten)]
    pub answer: ProviderAnswer,
}

/// How a sandbox action ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionOutcome {
    #[default]
    Complete,
    Decline,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ActionQuery {
    /// `complete` if absent.
    #[param(inline)]
    pub outcome: Option<ActionOutcome>,
}

/// What became of a sandbox action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SandboxAction {
    /// The payment that waited for it.
    pub payment_id: PaymentId,
    #[serde(flatten)]
    pub answer: ProviderAnswer,
}
