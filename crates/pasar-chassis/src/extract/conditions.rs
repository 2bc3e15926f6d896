//! Conditional requests (RFC 9110, section 13) over versions, and where an event stream goes on.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{
    HeaderMap, HeaderName,
    header::{IF_MATCH, IF_NONE_MATCH},
    request::Parts,
};
use pasar_contracts::problem::ProblemType;

use crate::{etag, problem::Problem};

/// `If-None-Match`: the versions that the client has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Tags);

/// `If-Match`: the versions that the client wants to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfMatch(Tags);

/// The last event that the client saw: `Last-Event-ID`, as browsers send it on reconnect. A value that
/// cannot be an event's number is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastEventId(pub Option<i64>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Tags {
    #[default]
    Absent,
    Any,
    Versions(Vec<i64>),
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl IfNoneMatch {
    /// As a client sends it that has seen this version.
    #[must_use]
    pub fn version(version: i64) -> Self {
        Self(Tags::Versions(vec![version]))
    }

    /// Whether the client has this version already.
    #[must_use]
    pub fn names(&self, version: i64) -> bool {
        match &self.0 {
            Tags::Absent => false,
            Tags::Any => true,
            Tags::Versions(versions) => versions.contains(&version),
        }
    }

    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.0 == Tags::Absent
    }
}

impl IfMatch {
    /// As a client sends it that has seen this version.
    #[must_use]
    pub fn version(version: i64) -> Self {
        Self(Tags::Versions(vec![version]))
    }

    /// Whether the client agrees to change this version. Absent allows all.
    #[must_use]
    pub fn allows(&self, version: i64) -> bool {
        match &self.0 {
            Tags::Absent | Tags::Any => true,
            Tags::Versions(versions) => versions.contains(&version),
        }
    }

    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.0 == Tags::Absent
    }

    /// 412 unless it allows this version.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        if self.allows(version) {
            Ok(())
        } else {
            Err(Problem::new(ProblemType::PreconditionFailed))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(tags(&parts.headers, &IF_NONE_MATCH, Compare::Weak)))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(tags(&parts.headers, &IF_MATCH, Compare::Strong)))
    }
}

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(LAST_EVENT_ID) else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or("?").trim();
        if text.is_empty() {
            return Ok(Self(None));
        }
        let number = text.parse().ok().filter(|number| *number >= 0);
        number.map(|number| Self(Some(number))).ok_or_else(|| {
            Problem::new(ProblemType::InvalidRequest)
                .detail("Last-Event-ID must be the id of an event of this stream")
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

/// Tags that are not ours match no version.
fn tags(headers: &HeaderMap, name: &HeaderName, compare: Compare) -> Tags {
    let mut versions = Vec::new();
    let mut present = false;
    for value in headers.get_all(name) {
        present = true;
        for tag in value.to_str().unwrap_or_default().split(',') {
            let tag = tag.trim();
            if tag == "*" {
                return Tags::Any;
            }
            let opaque = match tag.strip_prefix("W/") {
                Some(_) if compare == Compare::Strong => continue,
                Some(opaque) => opaque,
                None => tag,
            };
            versions.extend(etag::version(opaque));
        }
    }
    if present {
        Tags::Versions(versions)
    } else {
        Tags::Absent
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(value: &'static str, compare: Compare) -> Tags {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_static(value));
        tags(&headers, &IF_MATCH, compare)
    }

    #[test]
    fn a_write_needs_the_strong_tag_of_the_current_version() {
        let condition = IfMatch(read("\"v3\", W/\"v4\"", Compare::Strong));
        assert!(condition.allows(3));
        assert!(!condition.allows(4));
        assert_eq!(condition.check(5).unwrap_err().status().as_u16(), 412);
        assert!(!IfMatch(read("\"other\"", Compare::Strong)).allows(3));
        assert!(IfMatch(read("*", Compare::Strong)).allows(3));
        assert!(IfMatch::default().allows(3));
    }

    #[test]
    fn a_read_takes_weak_tags_too() {
        let condition = IfNoneMatch(read("W/\"v4\"", Compare::Weak));
        assert!(condition.names(4));
        assert!(!condition.names(5));
        assert!(!IfNoneMatch::default().names(4));
    }
}
