//! Who makes a request. The gateway decides it and inserts it as a typed value; services only read it.

use std::{convert::Infallible, net::IpAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use pasar_contracts::{api::users::Role, event::Service, problem::ProblemType};
use pasar_store::cause::Actor;
use pasar_types::{
    id::{SessionId, UserId},
    time::Timestamp,
};

use crate::problem::Problem;

/// Who asks, and what they may do. As an extractor it never fails: without one the request is anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub actor: Actor,
    pub roles: Vec<Role>,
    /// What an API key is limited to; empty for people.
    pub scopes: Vec<String>,
    /// The login that the access token belongs to.
    pub session: Option<SessionId>,
    /// When the credentials end; a stream that is open by then is closed.
    pub expires_at: Option<Timestamp>,
    /// An API key that an admin freed from limits per client.
    pub unlimited: bool,
}

/// The address that the request came from, as the gateway judged it. Inserted as a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl Identity {
    #[must_use]
    pub const fn anonymous() -> Self {
        Self {
            actor: Actor::Anonymous,
            roles: Vec::new(),
            scopes: Vec::new(),
            session: None,
            expires_at: None,
            unlimited: false,
        }
    }

    #[must_use]
    pub fn user(user: UserId, roles: impl Into<Vec<Role>>) -> Self {
        Self {
            actor: Actor::User(user),
            roles: roles.into(),
            ..Self::anonymous()
        }
    }

    /// Another service of this system, for internal routes.
    #[must_use]
    pub const fn service(service: Service) -> Self {
        let mut identity = Self::anonymous();
        identity.actor = Actor::Service(service);
        identity
    }

    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.actor == Actor::Anonymous
    }

    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The account behind it: the user's own, or the owner of the API key.
    #[must_use]
    pub const fn user_id(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(user) | Actor::ApiKey { owner: user, .. } => Some(user),
            Actor::Anonymous | Actor::Service(_) | Actor::Timer | Actor::Operator => None,
        }
    }

    /// One of the roles: 401 if anonymous, 403 if it has none of them. The operator has all.
    pub fn require(&self, any_of: &[Role]) -> Result<(), Problem> {
        if self.actor == Actor::Operator || any_of.iter().any(|role| self.has(*role)) {
            return Ok(());
        }
        if self.is_anonymous() {
            return Err(Problem::unauthenticated());
        }
        Err(Problem::new(ProblemType::Forbidden))
    }

    /// Somebody with an account, whatever the role; answers who.
    pub fn require_user(&self) -> Result<UserId, Problem> {
        match self.user_id() {
            Some(user) => Ok(user),
            None if self.is_anonymous() => Err(Problem::unauthenticated()),
            None => Err(Problem::new(ProblemType::Forbidden)),
        }
    }

    /// Another service of this system. Others are told that there is nothing here.
    pub fn require_service(&self) -> Result<Service, Problem> {
        match self.actor {
            Actor::Service(service) => Ok(service),
            Actor::Anonymous
            | Actor::User(_)
            | Actor::ApiKey { .. }
            | Actor::Timer
            | Actor::Operator => Err(Problem::new(ProblemType::NotFound)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(Self::anonymous))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_credentials_it_is_401_and_without_the_role_403() {
        let staff_only = [Role::Staff, Role::Admin];
        let status = |identity: &Identity| {
            identity
                .require(&staff_only)
                .map_err(|problem| problem.status().as_u16())
        };
        let user = UserId::from_bytes([1; 16]);
        assert_eq!(status(&Identity::anonymous()), Err(401));
        assert_eq!(status(&Identity::user(user, [Role::Customer])), Err(403));
        assert_eq!(status(&Identity::service(Service::Gateway)), Err(403));
        assert_eq!(status(&Identity::user(user, [Role::Staff])), Ok(()));
    }

    #[test]
    fn an_api_key_acts_for_its_owner() {
        let owner = UserId::from_bytes([1; 16]);
        let mut identity = Identity::anonymous();
        identity.actor = Actor::ApiKey {
            key: pasar_types::id::ApiKeyId::from_bytes([2; 16]),
            owner,
        };
        assert_eq!(identity.user_id(), Some(owner));
        assert!(identity.require_user().is_ok());
    }

    #[test]
    fn internal_routes_do_not_exist_for_people() {
        let user = Identity::user(UserId::from_bytes([1; 16]), [Role::Admin]);
        let problem = user.require_service().unwrap_err();
        assert_eq!(problem.status().as_u16(), 404);
        let gateway = Identity::service(Service::Gateway);
        assert_eq!(gateway.require_service().unwrap(), Service::Gateway);
    }
}
