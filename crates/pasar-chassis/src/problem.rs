//! Problem details (RFC 9457): how every refusal and failure is told to a client.
//!
//! What a fault was is logged here, once, with its whole chain; the client learns what to do next.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use pasar_contracts::{grpc::InvalidField, problem::ProblemType};
use pasar_store::fault::Fault;
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal or failure on its way to the client.
pub struct Problem(Box<Parts>);

struct Parts {
    kind: ProblemType,
    detail: Option<Cow<'static, str>>,
    instance: Option<String>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One value that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: `lines[0].quantity`, or the name of a parameter or header.
    pub field: String,
    /// What is expected instead.
    pub detail: String,
}

pub const MEDIA_TYPE: &str = "application/problem+json";
/// What a client is told to wait when only a restart or a recovery can help.
const RECOVERY: Duration = Duration::from_secs(1);

impl Problem {
    #[must_use]
    pub fn new(kind: ProblemType) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: None,
            instance: None,
            extensions: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// 401, with what to authenticate by.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(ProblemType::Unauthenticated)
    }

    /// 422 for one field.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError {
            field: field.into(),
            detail: detail.into(),
        }])
    }

    /// 422 for some fields.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.detail))
            .collect::<Vec<_>>()
            .join("; ");
        Self::new(ProblemType::ValidationFailed)
            .detail(detail)
            .with("errors", errors)
    }

    /// A defect on our side; `what` goes to the log only.
    #[must_use]
    pub fn defect(what: &str) -> Self {
        Fault::Bug(what.to_owned()).into()
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names this occurrence.
    #[must_use]
    pub fn instance(mut self, uri: impl Into<String>) -> Self {
        self.0.instance = Some(uri.into());
        self
    }

    /// Adds an extension member. One that cannot be written as JSON is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.0.extensions.insert(name.to_owned(), value);
            }
            Err(error) => tracing::error!(name, %error, "an extension member cannot be written"),
        }
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// When to come again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    #[must_use]
    pub const fn kind(&self) -> ProblemType {
        self.0.kind
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.kind.status()).expect("problem types have valid statuses")
    }

    /// The body as it goes out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let parts = &*self.0;
        let mut body = Map::new();
        let kind = format!("/problems/{}", parts.kind.slug());
        body.insert("type".to_owned(), kind.into());
        body.insert("title".to_owned(), parts.kind.title().into());
        body.insert("status".to_owned(), parts.kind.status().into());
        if let Some(detail) = &parts.detail {
            body.insert("detail".to_owned(), detail.as_ref().into());
        }
        if let Some(instance) = &parts.instance {
            body.insert("instance".to_owned(), instance.as_str().into());
        }
        for (name, value) in &parts.extensions {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }
}

/// Answers unknown paths with 404 and unknown methods with 405 and `Allow`, as problems.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .fallback(async || Problem::new(ProblemType::NotFound))
        .method_not_allowed_fallback(async || Problem::new(ProblemType::MethodNotAllowed))
}

impl From<InvalidField> for Problem {
    fn from(InvalidField { field, detail }: InvalidField) -> Self {
        Self::invalid_field(field, detail)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Conflict(_) => {
                tracing::info!(fault = %Chain(&fault), "a command met conflicts until it gave up");
                Self::new(ProblemType::Conflict)
            }
            Fault::Overloaded { retry_after } => {
                metrics::counter!("pasar_refused_total", "reason" => "overloaded").increment(1);
                Self::new(ProblemType::Overloaded).retry_after(retry_after)
            }
            Fault::Unknown => {
                tracing::error!(fault = %Chain(&fault), "the outcome of a command is unknown");
                Self::new(ProblemType::OutcomeUnknown).retry_after(RECOVERY)
            }
            Fault::Closed | Fault::LeaseLost(_) | Fault::Unreachable(_) => {
                Self::new(ProblemType::Unavailable).retry_after(RECOVERY)
            }
            Fault::Unavailable(_) => {
                tracing::warn!(fault = %Chain(&fault), "a request met no database");
                Self::new(ProblemType::Unavailable).retry_after(RECOVERY)
            }
            Fault::Trimmed { upto } => Self::new(ProblemType::FeedTrimmed).with("trimmed", upto),
            Fault::ZeroCharacter => Self::new(ProblemType::ValidationFailed)
                .detail("a text holds the character U+0000; leave it out"),
            Fault::Constraint(_) | Fault::Database(_) | Fault::Corrupt(_) | Fault::Bug(_) => {
                tracing::error!(fault = %Chain(&fault), "a request failed");
                Self::new(ProblemType::Internal)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.to_json().to_string();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.0.kind.status() == 401 {
            let scheme = HeaderValue::from_static("Bearer realm=\"pasar\"");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        headers.extend(self.0.headers);
        response
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

/// An error with all its sources, for logs.
pub struct Chain<'e>(pub &'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::header::ALLOW;

    use super::*;

    fn response(problem: impl Into<Problem>) -> (u16, Value, Response) {
        let problem = problem.into();
        let body = problem.to_json();
        let response = problem.into_response();
        (response.status().as_u16(), body, response)
    }

    #[test]
    fn a_fault_tells_the_client_what_to_do_and_not_what_broke() {
        let bug = || Fault::Bug("table orders has no row 7".to_owned());
        let wait = Duration::from_millis(1_500);
        let overloaded = Fault::Overloaded { retry_after: wait };
        for (fault, status, kind) in [
            (Fault::Conflict("order"), 409, "/problems/conflict"),
            (overloaded, 503, "/problems/overloaded"),
            (Fault::Unknown, 503, "/problems/outcome-unknown"),
            (Fault::Closed, 503, "/problems/unavailable"),
            (Fault::ZeroCharacter, 422, "/problems/validation-failed"),
            (
                Fault::Corrupt("row 7".to_owned()),
                500,
                "/problems/internal",
            ),
            (bug(), 500, "/problems/internal"),
        ] {
            let (is, body, response) = response(fault);
            assert_eq!((is, body["type"].as_str()), (status, Some(kind)));
            assert_eq!(is == 503, response.headers().contains_key(RETRY_AFTER));
            assert!(!body.to_string().contains('7'), "{body}");
        }
        assert_eq!(response(bug()).2.headers()[CONTENT_TYPE], MEDIA_TYPE);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_zero() {
        for (millis, seconds) in [(0, "1"), (1_000, "1"), (1_001, "2")] {
            let wait = Duration::from_millis(millis);
            let problem = Problem::new(ProblemType::TooManyRequests).retry_after(wait);
            assert_eq!(response(problem).2.headers()[RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn every_401_says_how_to_authenticate() {
        for kind in [
            ProblemType::Unauthenticated,
            ProblemType::InvalidCredentials,
        ] {
            let (status, _, response) = response(Problem::new(kind));
            assert_eq!(status, 401);
            assert!(response.headers().contains_key(WWW_AUTHENTICATE));
        }
    }

    #[test]
    fn extensions_stand_beside_the_standard_members_and_never_replace_them() {
        let problem = Problem::new(ProblemType::StateForbids)
            .detail("the order is collected")
            .instance("/v1/orders/1")
            .with("state", "collected")
            .with("status", 200)
            .header(ALLOW, HeaderValue::from_static("GET"));
        let (status, body, response) = response(problem);
        assert_eq!(status, 409);
        assert_eq!(body["status"], 409);
        assert_eq!(body["state"], "collected");
        assert_eq!(body["detail"], "the order is collected");
        assert_eq!(response.headers()[ALLOW], "GET");
    }
}
