//! Double entry: what moves from one account to another. A balance is never a row, always the sum of
//! entries.

use pasar_types::{
    id::{PaymentId, RefundId},
    money::Money,
};

use crate::payment::{CASH, Payment};

/// What customers paid, tax included: negative, as the money stands on the other side.
pub const SALES: &str = "sales";
/// What was given back to customers.
pub const REFUNDS: &str = "refunds";
/// Cash that staff took.
pub const CASH_DRAWER: &str = "cash_drawer";

/// One transaction of two entries: `amount` onto one account, the same off the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub payment_id: PaymentId,
    pub refund_id: Option<RefundId>,
    pub onto: String,
    pub off: String,
    pub amount: Money,
}

impl Posting {
    /// Money of a customer came to whoever holds it for us.
    #[must_use]
    pub fn capture(payment: &Payment) -> Self {
        Self {
            payment_id: payment.id,
            refund_id: None,
            onto: holder(&payment.method),
            off: SALES.to_owned(),
            amount: payment.amount,
        }
    }

    /// Money went back to a customer.
    #[must_use]
    pub fn refund(payment: &Payment, refund_id: RefundId, amount_minor: i64) -> Self {
        Self {
            payment_id: payment.id,
            refund_id: Some(refund_id),
            onto: REFUNDS.to_owned(),
            off: holder(&payment.method),
            amount: payment.money(amount_minor),
        }
    }
}

/// The account of whoever holds the money that a method brings in.
fn holder(method: &str) -> String {
    if method == CASH {
        CASH_DRAWER.to_owned()
    } else {
        format!("provider:{method}")
    }
}
