//! Why something happens: who asked, in which flow, and what came directly before.

use std::{fmt, str::FromStr};

use pasar_contracts::event::Service;
use pasar_types::id::{ApiKeyId, FlowId, UserId};

/// Who asked for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    Anonymous,
    User(UserId),
    ApiKey {
        key: ApiKeyId,
        owner: UserId,
    },
    Service(Service),
    /// A deadline or schedule.
    Timer,
    /// Somebody at the command line of the machine itself.
    Operator,
}

/// What a command's events carry besides their data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub actor: Actor,
    pub flow: FlowId,
    /// The event, request, effect or timer directly before.
    pub causation: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("expected an actor such as user:usr_.., got {0:?}")]
pub struct InvalidActor(String);

impl Cause {
    #[must_use]
    pub const fn new(actor: Actor, flow: FlowId) -> Self {
        Self {
            actor,
            flow,
            causation: None,
            traceparent: None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::ApiKey { key, owner } => write!(f, "key:{key}:{owner}"),
            Self::Service(service) => write!(f, "service:{service}"),
            Self::Timer => f.write_str("timer"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, InvalidActor> {
        let invalid = || InvalidActor(text.chars().take(80).collect());
        match text.split_once(':') {
            None => match text {
                "anonymous" => Ok(Self::Anonymous),
                "timer" => Ok(Self::Timer),
                "operator" => Ok(Self::Operator),
                _ => Err(invalid()),
            },
            Some(("user", user)) => user.parse().map(Self::User).map_err(|_| invalid()),
            Some(("service", service)) => service.parse().map(Self::Service).map_err(|_| invalid()),
            Some(("key", rest)) => {
                let (key, owner) = rest.split_once(':').ok_or_else(invalid)?;
                Ok(Self::ApiKey {
                    key: key.parse().map_err(|_| invalid())?,
                    owner: owner.parse().map_err(|_| invalid())?,
                })
            }
            Some(_) => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_reads_back_from_its_text() {
        let user = UserId::from_bytes([7; 16]);
        let key = ApiKeyId::from_bytes([9; 16]);
        for actor in [
            Actor::Anonymous,
            Actor::User(user),
            Actor::ApiKey { key, owner: user },
            Actor::Service(Service::Orders),
            Actor::Timer,
            Actor::Operator,
        ] {
            assert_eq!(actor.to_string().parse::<Actor>().unwrap(), actor);
        }
        assert!("root".parse::<Actor>().is_err());
        assert!("key:a:b".parse::<Actor>().is_err());
    }
}
