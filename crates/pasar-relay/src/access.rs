//! What a caller may publish and subscribe to. Roles and the scopes of API keys, in one place.

use pasar_chassis::{identity::Identity, problem::Problem};
use pasar_contracts::{api::users::Role, problem::ProblemType};
use pasar_store::cause::Actor;
use pasar_types::id::UserId;

use crate::topic::{self, Pattern};

/// How much of a topic's messages somebody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    All,
    /// Only those about this customer's own orders.
    OwnOrders(UserId),
}

/// Refuses who may not post to a topic. Nobody posts to a service's topic.
pub(crate) fn publish(identity: &Identity, topic: &str) -> Result<(), Problem> {
    if topic::is_reserved(topic) {
        return Err(Problem::new(ProblemType::Forbidden)
            .detail("only the service itself writes to this topic"));
    }
    let allowed = identity.has(Role::Admin)
        || is_integrating(identity)
        || scopes(identity, "publish:").any(|pattern| pattern.matches(topic));
    refuse_unless(allowed, identity, &format!("publish:{topic}"))
}

/// Refuses who may not post to any topic.
pub(crate) fn publish_something(identity: &Identity) -> Result<(), Problem> {
    let allowed = identity.has(Role::Admin)
        || is_integrating(identity)
        || scopes(identity, "publish:").next().is_some();
    refuse_unless(allowed, identity, "publish:<topic>")
}

/// Refuses who may not read a pattern of topics.
pub(crate) fn subscribe(identity: &Identity, wanted: &Pattern) -> Result<Reading, Problem> {
    let staff = [Role::Admin, Role::Staff];
    if staff.iter().any(|role| identity.has(*role))
        || is_integrating(identity)
        || scopes(identity, "subscribe:").any(|pattern| pattern.covers(wanted))
    {
        return Ok(Reading::All);
    }
    match (wanted, identity.user_id()) {
        (Pattern::Exactly(topic), Some(user))
            if &**topic == "orders" && identity.has(Role::Customer) =>
        {
            Ok(Reading::OwnOrders(user))
        }
        _ => {
            refuse_unless(false, identity, &format!("subscribe:{}", name(wanted)))?;
            Ok(Reading::All)
        }
    }
}

/// Refuses who may not have a pattern of topics delivered somewhere. More than reading: it goes on when they are
/// gone.
pub(crate) fn deliver(identity: &Identity, wanted: &Pattern) -> Result<(), Problem> {
    let allowed = identity.has(Role::Admin)
        || is_integrating(identity)
        || scopes(identity, "subscribe:").any(|pattern| pattern.covers(wanted));
    refuse_unless(allowed, identity, &format!("subscribe:{}", name(wanted)))
}

/// Refuses who may not have anything delivered anywhere.
pub(crate) fn deliver_something(identity: &Identity) -> Result<(), Problem> {
    let allowed = identity.has(Role::Admin)
        || is_integrating(identity)
        || scopes(identity, "subscribe:").next().is_some();
    refuse_unless(allowed, identity, "subscribe:<topic>")
}

/// Whoever logged in as integrator. Keys do what their scopes say.
fn is_integrating(identity: &Identity) -> bool {
    identity.has(Role::Integrator) && matches!(identity.actor, Actor::User(_))
}

fn name(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Exactly(topic) => topic.to_string(),
        Pattern::Below(stem) => format!("{stem}*"),
        Pattern::All => "*".to_owned(),
    }
}

fn refuse_unless(allowed: bool, identity: &Identity, scope: &str) -> Result<(), Problem> {
    if allowed {
        return Ok(());
    }
    if identity.is_anonymous() {
        return Err(Problem::unauthenticated());
    }
    Err(Problem::new(ProblemType::Forbidden).detail(format!("this needs the scope {scope}")))
}

fn scopes<'i>(identity: &'i Identity, verb: &'i str) -> impl Iterator<Item = Pattern> + 'i {
    identity
        .scopes
        .iter()
        .filter_map(move |scope| scope.strip_prefix(verb))
        .filter_map(|topic| Pattern::parse(topic).ok())
}
