//! What the users service publishes. The key is the user id.

use pasar_types::id::{ApiKeyId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{api::users::Role, event::events};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserRegistered {
    pub user_id: UserId,
    pub roles: Vec<Role>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserUpdated {
    pub user_id: UserId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserRolesChanged {
    pub user_id: UserId,
    pub roles: Vec<Role>,
}

/// Every session of the user except the one that changed it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserPasswordChanged {
    pub user_id: UserId,
}

/// The user's data is gone; what they ordered stays, under the id alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserDeleted {
    pub user_id: UserId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionStarted {
    pub user_id: UserId,
    pub session_id: SessionId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    LoggedOut,
    Revoked,
    PasswordChanged,
    RefreshTokenReused,
    /// Not refreshed in time, or at the end of its longest life.
    Expired,
    /// The user began more sessions than they may have; this was the oldest.
    Displaced,
    UserDeleted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionEnded {
    pub user_id: UserId,
    pub session_id: SessionId,
    pub reason: SessionEnd,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    pub user_id: UserId,
    pub api_key_id: ApiKeyId,
    pub scopes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyRevoked {
    pub user_id: UserId,
    pub api_key_id: ApiKeyId,
}

events! { Users:
    UserRegistered = "user.registered.v1",
    UserUpdated = "user.updated.v1",
    UserRolesChanged = "user.roles_changed.v1",
    UserPasswordChanged = "user.password_changed.v1",
    UserDeleted = "user.deleted.v1",
    SessionStarted = "session.started.v1",
    SessionEnded = "session.ended.v1",
    ApiKeyCreated = "api_key.created.v1",
    ApiKeyRevoked = "api_key.revoked.v1",
}
