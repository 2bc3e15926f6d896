//! `pasar.users.v1`.

use std::fmt;

use super::types::timestamp;
use crate::api::users as api;

mod generated {
    include!("generated/pasar.users.v1.rs");
}

pub use generated::*;

/// The service's full name.
pub const USERS: &str = "pasar.users.v1.Users";

impl User {
    /// An account as it stands in a version.
    #[must_use]
    pub fn new(user: api::User, version: i64) -> Self {
        Self {
            id: user.id.to_string(),
            version,
            kind: UserKind::from(user.kind).into(),
            email: user.email.unwrap_or_default(),
            name: user.name,
            roles: roles(user.roles),
            created_at: Some(timestamp(user.created_at)),
            updated_at: Some(timestamp(user.updated_at)),
        }
    }
}

impl From<api::VerifiedApiKey> for VerifiedApiKey {
    fn from(verified: api::VerifiedApiKey) -> Self {
        use verified_api_key::RateLimit;
        let rate_limit = verified.rate_limit.map(|limit| match limit {
            api::RateLimit::Unlimited => RateLimit::Unlimited(true),
            api::RateLimit::PerMinute(requests) => RateLimit::RequestsPerMinute(requests),
        });
        Self {
            user_id: verified.user_id.to_string(),
            api_key_id: verified.api_key_id.to_string(),
            roles: roles(verified.roles),
            scopes: verified.scopes,
            rate_limit,
        }
    }
}

impl From<api::SessionStatus> for SessionStatus {
    fn from(status: api::SessionStatus) -> Self {
        Self {
            session_id: status.session_id.to_string(),
            user_id: status.user_id.to_string(),
            live: status.live,
            roles: roles(status.roles),
        }
    }
}

impl From<api::UserKind> for UserKind {
    fn from(kind: api::UserKind) -> Self {
        match kind {
            api::UserKind::Person => Self::Person,
            api::UserKind::Machine => Self::Machine,
        }
    }
}

impl From<api::Role> for Role {
    fn from(role: api::Role) -> Self {
        match role {
            api::Role::Customer => Self::Customer,
            api::Role::Staff => Self::Staff,
            api::Role::Kiosk => Self::Kiosk,
            api::Role::Admin => Self::Admin,
            api::Role::Integrator => Self::Integrator,
        }
    }
}

fn roles(roles: Vec<api::Role>) -> Vec<i32> {
    roles
        .into_iter()
        .map(|role| Role::from(role).into())
        .collect()
}

/// The key is a secret: it is not printed.
impl fmt::Debug for VerifyApiKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyApiKeyRequest(..)")
    }
}
