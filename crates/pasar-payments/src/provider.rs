//! What a payment provider is to this service: it takes one call and answers what it did or knows.
//!
//! Cash is not one: the person at the counter is.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pasar_contracts::api::payments::{ProviderAnswer, ProviderRequest};
use pasar_store::cause::Cause;

/// Authorises, captures, voids, refunds and looks up, by our reference and under an idempotency key.
pub trait Provider: Send + Sync {
    /// An error says nothing about whether the call took effect: only a look-up can tell.
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<ProviderAnswer, NoAnswer>>;
}

/// One call to a provider, and why it is made.
#[derive(Clone, Debug)]
pub struct Call {
    pub request: ProviderRequest,
    pub cause: Cause,
}

/// Why there is no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("failed to reach the provider")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the provider answered with status {0}")]
    Status(u16),
    #[error("the provider's answer cannot be read: {0}")]
    Unusable(String),
    #[error("the payment method {0:?} is not configured")]
    NotConfigured(String),
}
