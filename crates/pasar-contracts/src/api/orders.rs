//! Orders as clients place, read and move them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
