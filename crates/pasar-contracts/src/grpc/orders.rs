//! `pasar.orders.v1`.

use std::fmt;

use pasar_types::quantity::Quantity;

use super::{
    InvalidField, invalid, limit, missing, optional, optional_text, parsed, text,
    types::{self, timestamp},
};
use crate::{api::orders as api, api::page::Page, events::inventory, events::payments};

mod generated {
    include!("generated/pasar.orders.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const ORDERS: &str = "pasar.orders.v1.Orders";

impl TryFrom<PlaceOrderRequest> for api::OrderInput {
    type Error = InvalidField;

    fn try_from(request: PlaceOrderRequest) -> Result<Self, InvalidField> {
        let payment = request.payment.ok_or_else(|| missing("payment"))?;
        let expected_total = request.expected_total;
        Ok(Self {
            lines: items(request.lines)?,
            payment: api::OrderPaymentInput {
                method: text("payment.method", payment.method)?,
                token: optional_text("payment.token", payment.token)?,
            },
            location: optional("location_id", &request.location_id)?,
            expected_total: expected_total
                .map(|total| total.read("expected_total"))
                .transpose()?,
            note: optional_text("note", request.note)?,
        })
    }
}

impl TryFrom<RefundOrderRequest> for api::RefundInput {
    type Error = InvalidField;

    fn try_from(request: RefundOrderRequest) -> Result<Self, InvalidField> {
        let amount = request.amount;
        let lines = items(request.lines)?;
        Ok(Self {
            amount: amount.map(|amount| amount.read("amount")).transpose()?,
            lines: (!lines.is_empty()).then_some(lines),
            restock: request.restock,
            reason: text("reason", request.reason)?,
        })
    }
}

impl TryFrom<ListOrdersRequest> for api::OrdersQuery {
    type Error = InvalidField;

    fn try_from(request: ListOrdersRequest) -> Result<Self, InvalidField> {
        let state = OrderState::try_from(request.state).map_err(invalid("state"))?;
        Ok(Self {
            state: state.read(),
            location: optional("location_id", &request.location_id)?,
            q: optional_text("q", request.q)?,
            limit: limit(request.limit),
            cursor: optional_text("cursor", request.cursor)?,
        })
    }
}

fn items(items: Vec<Item>) -> Result<Vec<api::OrderLineInput>, InvalidField> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| {
            let quantity = Quantity::new(item.quantity);
            Ok(api::OrderLineInput {
                sku: parsed(&format!("lines[{index}].sku"), &item.sku)?,
                quantity: quantity.map_err(invalid(&format!("lines[{index}].quantity")))?,
            })
        })
        .collect()
}

impl From<api::OrderLineInput> for Item {
    fn from(line: api::OrderLineInput) -> Self {
        Self {
            sku: line.sku.to_string(),
            quantity: line.quantity.get(),
        }
    }
}

impl Order {
    /// An order as it stands in a version.
    #[must_use]
    pub fn new(order: api::Order, version: i64) -> Self {
        Self {
            id: order.id.to_string(),
            version,
            number: order.number,
            state: OrderState::from(order.state).into(),
            payment: Some(order.payment.into()),
            location_id: order.location_id.to_string(),
            customer_id: order
                .customer_id
                .map(|id| id.to_string())
                .unwrap_or_default(),
            lines: order.lines.into_iter().map(OrderLine::from).collect(),
            subtotal: Some(order.subtotal.into()),
            tax: Some(order.tax.into()),
            total: Some(order.total.into()),
            note: order.note.unwrap_or_default(),
            deadline: order.deadline.map(timestamp),
            cancellation: order.cancellation.map(Cancellation::from),
            refunds: order.refunds.into_iter().map(OrderRefund::from).collect(),
            watch_url: order.watch_url,
            placed_at: Some(timestamp(order.placed_at)),
            updated_at: Some(timestamp(order.updated_at)),
        }
    }
}

impl From<Page<Order>> for ListOrdersReply {
    fn from(page: Page<Order>) -> Self {
        Self {
            orders: page.items,
            next_cursor: page.next_cursor.unwrap_or_default(),
        }
    }
}

impl OrderChange {
    /// A change, with the name of what happened and what belongs to it as JSON text.
    #[must_use]
    pub fn new(name: &str, change: api::OrderChange) -> Self {
        Self {
            order_id: change.order_id.to_string(),
            location_id: change.location_id.to_string(),
            number: change.number,
            version: change.version,
            r#type: name.to_owned(),
            state: OrderState::from(change.state).into(),
            time: Some(timestamp(change.time)),
            details: serde_json::Value::Object(change.more).to_string(),
        }
    }
}

impl From<api::OrderPayment> for OrderPayment {
    fn from(payment: api::OrderPayment) -> Self {
        Self {
            state: types::PaymentState::from(payment.state).into(),
            method: payment.method,
            next_action: payment.next_action.map(NextAction::from),
        }
    }
}

impl From<payments::NextAction> for NextAction {
    fn from(action: payments::NextAction) -> Self {
        use next_action::Action;
        let (action, expires_at) = match action {
            payments::NextAction::Redirect { url, expires_at } => {
                (Action::RedirectUrl(url), expires_at)
            }
            payments::NextAction::Qr {
                payload,
                expires_at,
            } => (Action::QrPayload(payload), expires_at),
        };
        Self {
            action: Some(action),
            expires_at: Some(timestamp(expires_at)),
        }
    }
}

impl From<api::OrderLine> for OrderLine {
    fn from(line: api::OrderLine) -> Self {
        Self {
            sku: line.sku.to_string(),
            name: line.name,
            quantity: line.quantity.get(),
            unit_price: Some(line.unit_price.into()),
            tax_rate_basis_points: line.tax_rate.basis_points().into(),
            tax: Some(line.tax.into()),
            total: Some(line.total.into()),
        }
    }
}

impl From<api::Cancellation> for Cancellation {
    fn from(cancellation: api::Cancellation) -> Self {
        let shortages = cancellation.shortages.into_iter();
        Self {
            reason: CancelReason::from(cancellation.reason).into(),
            shortages: shortages.map(Shortage::from).collect(),
        }
    }
}

impl From<inventory::Shortage> for Shortage {
    fn from(shortage: inventory::Shortage) -> Self {
        Self {
            sku: shortage.sku.to_string(),
            requested: shortage.requested,
            available: shortage.available,
        }
    }
}

impl From<api::Refund> for OrderRefund {
    fn from(refund: api::Refund) -> Self {
        Self {
            id: refund.id.to_string(),
            amount: Some(refund.amount.into()),
            state: types::RefundState::from(refund.state).into(),
            lines: refund.lines.into_iter().map(Item::from).collect(),
            restock: refund.restock,
            reason: refund.reason,
            requested_at: Some(timestamp(refund.requested_at)),
            updated_at: Some(timestamp(refund.updated_at)),
        }
    }
}

impl From<api::OrderState> for OrderState {
    fn from(state: api::OrderState) -> Self {
        match state {
            api::OrderState::Placed => Self::Placed,
            api::OrderState::Confirmed => Self::Confirmed,
            api::OrderState::Preparing => Self::Preparing,
            api::OrderState::Ready => Self::Ready,
            api::OrderState::Collected => Self::Collected,
            api::OrderState::Abandoned => Self::Abandoned,
            api::OrderState::Cancelling => Self::Cancelling,
            api::OrderState::Cancelled => Self::Cancelled,
        }
    }
}

impl OrderState {
    /// As the rest of Pasar reads it.
    #[must_use]
    pub const fn read(self) -> Option<api::OrderState> {
        Some(match self {
            Self::Unspecified => return None,
            Self::Placed => api::OrderState::Placed,
            Self::Confirmed => api::OrderState::Confirmed,
            Self::Preparing => api::OrderState::Preparing,
            Self::Ready => api::OrderState::Ready,
            Self::Collected => api::OrderState::Collected,
            Self::Abandoned => api::OrderState::Abandoned,
            Self::Cancelling => api::OrderState::Cancelling,
            Self::Cancelled => api::OrderState::Cancelled,
        })
    }
}

impl From<api::CancelReason> for CancelReason {
    fn from(reason: api::CancelReason) -> Self {
        use api::CancelReason as Api;
        match reason {
            Api::OutOfStock => Self::OutOfStock,
            Api::PaymentDeclined => Self::PaymentDeclined,
            Api::CaptureFailed => Self::CaptureFailed,
            Api::PaymentLapsed => Self::PaymentLapsed,
            Api::ReservationExpired => Self::ReservationExpired,
            Api::DeadlinePassed => Self::DeadlinePassed,
            Api::NotPaid => Self::NotPaid,
            Api::CancelledByCustomer => Self::CancelledByCustomer,
            Api::CancelledByStaff => Self::CancelledByStaff,
        }
    }
}

/// The token can charge somebody: it is not printed.
impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentMethod")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> PlaceOrderRequest {
        PlaceOrderRequest {
            lines: vec![Item {
                sku: "tea".to_owned(),
                quantity: 2,
            }],
            payment: Some(PaymentMethod {
                method: "sandbox".to_owned(),
                token: "tok_secret".to_owned(),
            }),
            ..PlaceOrderRequest::default()
        }
    }

    #[test]
    fn an_order_is_read_as_rest_reads_it() {
        let read = api::OrderInput::try_from(request()).unwrap();
        let rest = r#"{"lines":[{"sku":"tea","quantity":2}],"payment":{"method":"sandbox","token":"tok_secret"}}"#;
        assert_eq!(serde_json::to_string(&read).unwrap(), rest);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let field = |change: fn(&mut PlaceOrderRequest)| {
            let mut request = request();
            change(&mut request);
            api::OrderInput::try_from(request).unwrap_err().field
        };
        assert_eq!(field(|order| order.payment = None), "payment");
        assert_eq!(
            field(|order| order.lines[0].quantity = 0),
            "lines[0].quantity"
        );
        assert_eq!(field(|order| order.lines[0].sku.clear()), "lines[0].sku");
        assert_eq!(
            field(|order| order.location_id = "here".into()),
            "location_id"
        );
        assert_eq!(field(|order| order.note = "a\0".into()), "note");
        let total =
            |order: &mut PlaceOrderRequest| order.expected_total = Some(types::Money::default());
        assert_eq!(field(total), "expected_total.currency");
    }

    #[test]
    fn a_state_that_is_not_known_is_refused() {
        let request = ListOrdersRequest {
            state: 99,
            ..ListOrdersRequest::default()
        };
        assert!(api::OrdersQuery::try_from(request).is_err());
        for state in api::OrderState::ALL {
            assert_eq!(OrderState::from(*state).read(), Some(*state));
        }
    }

    #[test]
    fn a_payment_token_is_not_printed() {
        assert!(!format!("{:?}", request()).contains("tok_secret"));
    }
}
