//! What one effect asks of a provider, as it stands in the effect's row.

use std::time::Duration;

use pasar_contracts::api::payments::{Operation, ProviderRequest, Token};
use pasar_types::{
    id::{PaymentId, RefundId},
    money::Money,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The token lives here and nowhere else in this service: it is gone with the row, once the
/// authorisation is final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub payment_id: PaymentId,
    pub operation: Operation,
    pub method: String,
    pub amount: Money,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refund_id: Option<RefundId>,
    pub intended_at: Timestamp,
}

impl Work {
    /// The call as it was intended.
    #[must_use]
    pub fn request(&self) -> ProviderRequest {
        self.call(self.operation)
    }

    /// The call that only asks what became of it.
    #[must_use]
    pub fn look_up(&self) -> ProviderRequest {
        self.call(Operation::LookUp)
    }

    /// The call that undoes it, when its order does not want it any more.
    #[must_use]
    pub fn void(&self) -> ProviderRequest {
        self.call(Operation::Void)
    }

    /// Whether the provider may have forgotten the idempotency key.
    #[must_use]
    pub fn outlived(&self, key_lifetime: Duration, now: Timestamp) -> bool {
        now.since(self.intended_at) >= key_lifetime
    }

    fn call(&self, operation: Operation) -> ProviderRequest {
        let idempotency_key = match self.refund_id {
            Some(refund) => format!("{}:{operation}:{refund}", self.payment_id),
            None => format!("{}:{operation}", self.payment_id),
        };
        ProviderRequest {
            operation,
            reference: self.payment_id,
            amount: self.amount,
            token: self
                .token
                .clone()
                .filter(|_| operation == Operation::Authorize),
            refund_id: self.refund_id,
            idempotency_key,
        }
    }
}
