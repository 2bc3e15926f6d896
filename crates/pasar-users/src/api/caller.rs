//! Who calls. Judged before the body is read.

use axum::extract::FromRequestParts;
use http::{header::USER_AGENT, request::Parts};
use pasar_chassis::{
    cause::RequestCause,
    identity::{ClientAddress, Identity},
    problem::Problem,
};
use pasar_contracts::api::users::Role;
use pasar_store::cause::Actor;
use pasar_types::id::UserId;

use crate::{
    authentication::Asking,
    commands::create_api_key::{Maker, MakingKey},
    source::{self, Origin},
};

/// Anybody.
pub(super) struct Anyone(pub(super) Asking);

/// Somebody with an account.
pub(super) struct Account {
    pub(super) user: UserId,
    pub(super) identity: Identity,
    pub(super) asking: Asking,
}

/// An admin.
pub(super) struct Admin {
    pub(super) asking: Asking,
}

/// Another service. For others, its routes do not exist.
pub(super) struct Service {
    pub(super) asking: Asking,
}

impl Account {
    /// Whose things are meant: one's own, or another's if an admin asks for them.
    pub(super) fn owner(&self, named: Option<UserId>) -> Result<UserId, Problem> {
        match named {
            Some(other) if other != self.user => {
                self.identity.require(&[Role::Admin]).map(|()| other)
            }
            Some(_) | None => Ok(self.user),
        }
    }

    /// Whose things may be changed: one's own; anybody's by an admin.
    pub(super) fn only_own(&self) -> Option<UserId> {
        if self.identity.has(Role::Admin) {
            None
        } else {
            Some(self.user)
        }
    }

    /// What the credentials may hand on.
    pub(super) fn maker(&self) -> Maker {
        let key = match self.identity.actor {
            Actor::ApiKey { key, .. } => Some(MakingKey {
                id: key,
                scopes: self.identity.scopes.clone(),
            }),
            Actor::Anonymous
            | Actor::User(_)
            | Actor::Service(_)
            | Actor::Timer
            | Actor::Operator => None,
        };
        Maker {
            roles: self.identity.roles.clone(),
            key,
        }
    }
}

async fn asking(parts: &mut Parts) -> Result<Asking, Problem> {
    let RequestCause(cause) = RequestCause::from_request_parts(parts, &()).await?;
    let Ok(address) = ClientAddress::from_request_parts(parts, &()).await;
    let user_agent = parts
        .headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Ok(Asking {
        cause,
        origin: Origin::new(address, user_agent),
        source: source::counted_as(address),
    })
}

async fn identity(parts: &mut Parts) -> Identity {
    let Ok(identity) = Identity::from_request_parts(parts, &()).await;
    identity
}

impl<S: Sync> FromRequestParts<S> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        asking(parts).await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = identity(parts).await;
        let user = identity.require_user()?;
        Ok(Self {
            user,
            identity,
            asking: asking(parts).await?,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        identity(parts).await.require(&[Role::Admin])?;
        Ok(Self {
            asking: asking(parts).await?,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        identity(parts).await.require_service()?;
        Ok(Self {
            asking: asking(parts).await?,
        })
    }
}
