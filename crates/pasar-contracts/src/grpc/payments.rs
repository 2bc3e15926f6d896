//! `pasar.payments.v1`.

use super::{
    InvalidField, limit, optional, optional_text,
    types::{self, timestamp},
};
use crate::api::{page::Page, payments as api};

mod generated {
    include!("generated/pasar.payments.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const PAYMENTS: &str = "pasar.payments.v1.Payments";

impl TryFrom<ListPaymentsRequest> for api::PaymentQuery {
    type Error = InvalidField;

    fn try_from(request: ListPaymentsRequest) -> Result<Self, InvalidField> {
        Ok(Self {
            order_id: optional("order_id", &request.order_id)?,
            limit: limit(request.limit),
            cursor: optional_text("cursor", request.cursor)?,
        })
    }
}

impl From<Page<api::Payment>> for ListPaymentsReply {
    fn from(page: Page<api::Payment>) -> Self {
        Self {
            payments: page.items.into_iter().map(Payment::from).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        }
    }
}

impl From<api::Payment> for Payment {
    fn from(payment: api::Payment) -> Self {
        let in_flight = payment.in_flight.map(Operation::from);
        Self {
            id: payment.id.to_string(),
            order_id: payment.order_id.to_string(),
            location_id: payment.location_id.to_string(),
            state: types::PaymentState::from(payment.state).into(),
            method: payment.method,
            amount: Some(payment.amount.into()),
            captured: Some(payment.captured.into()),
            refunded: Some(payment.refunded.into()),
            refunding: Some(payment.refunding.into()),
            in_flight: in_flight.unwrap_or_default().into(),
            awaits_hand_back: payment.awaits_hand_back,
            reason: payment.reason.unwrap_or_default(),
            flow_id: payment.flow_id.to_string(),
            created_at: Some(timestamp(payment.created_at)),
            updated_at: Some(timestamp(payment.updated_at)),
            authorized_at: payment.authorized_at.map(timestamp),
            captured_at: payment.captured_at.map(timestamp),
        }
    }
}

impl From<api::PaymentDetail> for PaymentDetail {
    fn from(detail: api::PaymentDetail) -> Self {
        Self {
            payment: Some(detail.payment.into()),
            refunds: detail.refunds.into_iter().map(Refund::from).collect(),
            attempts: detail.attempts.into_iter().map(Attempt::from).collect(),
        }
    }
}

impl From<api::Refund> for Refund {
    fn from(refund: api::Refund) -> Self {
        Self {
            id: refund.id.to_string(),
            state: types::RefundState::from(refund.state).into(),
            amount: Some(refund.amount.into()),
            reason: refund.reason.unwrap_or_default(),
            requested_at: Some(timestamp(refund.requested_at)),
            ended_at: refund.ended_at.map(timestamp),
        }
    }
}

impl From<api::Attempt> for Attempt {
    fn from(attempt: api::Attempt) -> Self {
        Self {
            operation: Operation::from(attempt.operation).into(),
            failures: attempt.failures,
            last_error: attempt.last_error,
            first_failed_at: Some(timestamp(attempt.first_failed_at)),
            last_failed_at: Some(timestamp(attempt.last_failed_at)),
        }
    }
}

impl From<api::Operation> for Operation {
    fn from(operation: api::Operation) -> Self {
        match operation {
            api::Operation::Authorize => Self::Authorize,
            api::Operation::Capture => Self::Capture,
            api::Operation::Void => Self::Void,
            api::Operation::Refund => Self::Refund,
            api::Operation::LookUp => Self::LookUp,
        }
    }
}

impl From<api::Balances> for BalancesReply {
    fn from(balances: api::Balances) -> Self {
        Self {
            balances: balances.items.into_iter().map(Balance::from).collect(),
        }
    }
}

impl From<api::Balance> for Balance {
    fn from(balance: api::Balance) -> Self {
        Self {
            account: balance.account,
            balance: Some(balance.balance.into()),
            entries: balance.entries,
        }
    }
}
