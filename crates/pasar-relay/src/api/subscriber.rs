//! Whoever has messages delivered, and what of it is theirs.

use std::{convert::Infallible, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use pasar_chassis::{cause::RequestCause, extract::Path, identity::Identity, problem::Problem};
use pasar_contracts::{
    api::{relay::SubscriptionInput, users::Role},
    problem::ProblemType,
};
use pasar_store::cause::Cause;
use pasar_types::id::SubscriptionId;

use super::Api;
use crate::{
    access,
    queries::{self, Known},
    topic::Pattern,
};

/// Somebody who may have something delivered. As an extractor it refuses all others before a body is read.
pub(super) struct Subscriber {
    identity: Identity,
    pub(super) cause: Cause,
    /// The account that subscriptions belong to; `None` for whoever sees all.
    pub(super) owner: Option<String>,
}

impl Subscriber {
    /// Whose a new subscription is.
    pub(super) fn account(&self) -> String {
        match self.identity.user_id() {
            Some(user) => format!("user:{user}"),
            None => self.identity.actor.to_string(),
        }
    }

    /// Refuses topics that they may not have delivered.
    pub(super) fn check(&self, input: &SubscriptionInput) -> Result<(), Problem> {
        for (index, topic) in input.topics.iter().enumerate() {
            let pattern = Pattern::parse(topic).map_err(|error| {
                Problem::invalid_field(format!("topics[{index}]"), error.to_string())
            })?;
            access::deliver(&self.identity, &pattern)?;
        }
        Ok(())
    }

    /// A subscription, if it is theirs. Others do not learn that there is one.
    pub(super) async fn find(&self, api: &Api, id: SubscriptionId) -> Result<Known, Problem> {
        let found = api
            .log
            .store()
            .read(move |tx| queries::subscription(tx, id))
            .await?;
        let known = found.ok_or_else(not_found)?;
        let owner = &known.subscription.owner;
        if self.owner.as_ref().is_some_and(|own| own != owner) {
            return Err(not_found());
        }
        self.check(&known.subscription.input)?;
        Ok(known)
    }
}

/// Somebody, and the subscription of theirs that the path names.
pub(super) struct Theirs {
    pub(super) subscriber: Subscriber,
    pub(super) known: Known,
}

impl Theirs {
    pub(super) const fn id(&self) -> SubscriptionId {
        self.known.subscription.id
    }

    /// Refuses changes that only the configuration makes, where it declares the subscription.
    pub(super) fn check_not_declared(&self) -> Result<(), Problem> {
        match &self.known.declared {
            None => Ok(()),
            Some(name) => Err(Problem::new(ProblemType::Declared).detail(format!(
                "the configuration declares this subscription as {name:?}; change it there and start again"
            ))),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Theirs {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let subscriber = Subscriber::from_request_parts(parts, api).await?;
        let Path(id) = Path::<String>::from_request_parts(parts, api).await?;
        let known = subscriber
            .find(api, id.parse().map_err(|_| not_found())?)
            .await?;
        Ok(Self { subscriber, known })
    }
}

pub(super) fn not_found() -> Problem {
    Problem::new(ProblemType::NotFound)
}

impl<S: Sync> FromRequestParts<S> for Subscriber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok::<_, Infallible>(identity) = Identity::from_request_parts(parts, state).await;
        access::deliver_something(&identity)?;
        let RequestCause(cause) = RequestCause::from_request_parts(parts, state).await?;
        let mut subscriber = Self {
            identity,
            cause,
            owner: None,
        };
        if !subscriber.identity.has(Role::Admin) {
            subscriber.owner = Some(subscriber.account());
        }
        Ok(subscriber)
    }
}
