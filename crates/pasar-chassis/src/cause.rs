//! The flow of a request: begun at the edge, carried to each service, log line and event.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use pasar_store::{
    cause::{Actor, Cause},
    clock::Clock,
    ids::Ids,
};
use pasar_types::id::{FlowId, RequestId};

use crate::{identity::Identity, problem::Problem};

/// What is known of a request before anybody looked at it. Inserted as a request extension, once, by
/// the server; whoever calls a router directly inserts it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub flow: FlowId,
    /// Named by the same UUID as the flow that it begins.
    pub request: RequestId,
    /// W3C trace context, if the client sent a valid one.
    pub traceparent: Option<String>,
}

/// The cause of the commands of this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCause(pub Cause);

/// The response header that names the flow.
pub const FLOW_HEADER: HeaderName = HeaderName::from_static("pasar-flow");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

impl Arrival {
    /// Begins a flow.
    #[must_use]
    pub fn new(clock: &dyn Clock, ids: &dyn Ids, headers: &HeaderMap) -> Self {
        let trace = headers.get(TRACEPARENT).map(HeaderValue::as_bytes);
        Self::with_trace(clock, ids, trace)
    }

    /// Begins a flow, with the value of the client's `traceparent`.
    #[must_use]
    pub fn with_trace(clock: &dyn Clock, ids: &dyn Ids, trace: Option<&[u8]>) -> Self {
        let id = ids.uuid_v7(clock.now());
        Self {
            flow: FlowId::from_uuid(id),
            request: RequestId::from_uuid(id),
            traceparent: trace.and_then(traceparent),
        }
    }

    /// The cause of what somebody does in this request.
    #[must_use]
    pub fn cause(&self, actor: Actor) -> Cause {
        Cause {
            actor,
            flow: self.flow,
            causation: Some(self.request.to_string()),
            traceparent: self.traceparent.clone(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestCause {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let actor = parts
            .extensions
            .get::<Identity>()
            .map_or(Actor::Anonymous, |identity| identity.actor);
        parts
            .extensions
            .get::<Arrival>()
            .map(|arrival| Self(arrival.cause(actor)))
            .ok_or_else(|| Problem::defect("a request has no Arrival"))
    }
}

/// W3C Trace Context, version 00: `00-{32 hex}-{16 hex}-{2 hex}`, ids not all zero. Anything else is
/// treated as absent, as the specification says.
fn traceparent(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().filter(|part| {
            part.len() == length
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    let version = hex(2)?;
    let (trace, span, _flags) = (hex(32)?, hex(16)?, hex(2)?);
    let some = |id: &str| id.bytes().any(|byte| byte != b'0');
    let valid = version == "00" && some(trace) && some(span) && parts.next().is_none();
    valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use pasar_store::{clock::ManualClock, ids::SeededIds};

    use super::*;

    fn arrival(traceparent: &'static str) -> Arrival {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(traceparent));
        Arrival::new(&ManualClock::default(), &SeededIds::new(1), &headers)
    }

    #[test]
    fn a_valid_trace_context_is_carried_and_an_invalid_one_dropped() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(arrival(valid).traceparent.as_deref(), Some(valid));
        for invalid in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(arrival(invalid).traceparent, None, "{invalid}");
        }
    }

    #[test]
    fn a_request_is_the_cause_of_what_its_flow_begins_with() {
        let arrival = arrival("");
        let cause = arrival.cause(Actor::Anonymous);
        assert_eq!(cause.flow, arrival.flow);
        let request = cause.causation.unwrap().parse::<RequestId>().unwrap();
        assert_eq!(request.uuid(), arrival.flow.uuid());
    }
}
