//! What a caller may publish and subscribe to. Roles and the scopes of API keys, in one place.

use pasar_chassis::{identity::Identity, problem::Problem};
use pasar_contracts::{api::users::Role, problem::ProblemType};
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
        || scopes(identity, "publish:").any(|pattern| pattern.matches(topic));
    refuse_unless(allowed, identity, &format!("publish:{topic}"))
}

/// Refuses who may not post to any topic.
pub(crate) fn publish_something(identity: &Identity) -> Result<(), Problem> {
    let allowed = identity.has(Role::Admin) || scopes(identity, "publish:").next().is_some();
    refuse_unless(allowed, identity, "publish:<topic>")
}

/// Refuses who may not read a pattern of topics.
pub(crate) fn subscribe(identity: &Identity, wanted: &Pattern) -> Result<Reading, Problem> {
    let staff = [Role::Admin, Role::Staff];
    if staff.iter().any(|role| identity.has(*role))
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
            let name = match wanted {
                Pattern::Exactly(topic) => topic.to_string(),
                Pattern::Below(stem) => format!("{stem}*"),
                Pattern::All => "*".to_owned(),
            };
            refuse_unless(false, identity, &format!("subscribe:{name}"))?;
            Ok(Reading::All)
        }
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
