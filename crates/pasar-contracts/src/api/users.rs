//! Accounts, sessions, tokens and API keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody is allowed to be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Staff,
    Kiosk,
    Admin,
    Integrator,
}
