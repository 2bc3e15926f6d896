//! Problems as outcomes of calls: the canonical code, the text, and the whole problem document as metadata.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Limited};
use pasar_contracts::problem::ProblemType;
use serde::Deserialize;

use super::{Code, MEDIA_TYPE, is_grpc, trailers};
use crate::problem::Problem;

/// The name of the problem's type, for programs.
const PROBLEM: HeaderName = HeaderName::from_static("pasar-problem");
/// The problem's document (RFC 9457), as over REST.
const DOCUMENT: HeaderName = HeaderName::from_static("pasar-problem-bin");
/// A document that is longer is left out: clients take 8 KiB of metadata.
const MAX_DOCUMENT_BYTES: usize = 4 * 1024;
/// What is read of an answer that is to become a refusal.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// When to come again, in milliseconds (gRPC retry design, "pushback").
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What is read back of a problem's document.
#[derive(Default, Deserialize)]
struct Document {
    r#type: String,
    detail: Option<String>,
}

/// A problem as the outcome of a call: there is no message, only the outcome.
#[must_use]
pub fn refusal(problem: Problem) -> Response {
    let kind = problem.kind();
    ended(problem, code(kind))
}

/// The same for a path that is no method.
#[must_use]
pub fn unrouted(problem: Problem) -> Response {
    let code = match problem.kind() {
        ProblemType::NotFound | ProblemType::MethodNotAllowed => Code::Unimplemented,
        kind => code(kind),
    };
    ended(problem, code)
}

/// An answer as it is, if it is one of gRPC; a refusal, if it is a problem (as extractors answer them).
pub(super) async fn of(response: Response) -> Response {
    if is_grpc(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let document = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
    let document = document
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let read: Document = serde_json::from_slice(&document).unwrap_or_default();
    let slug = read.r#type.trim_start_matches("/problems/");
    let kind = ProblemType::ALL.iter().find(|kind| kind.slug() == slug);
    let Some(kind) = kind.copied() else {
        let status = parts.status;
        return refusal(Problem::defect(&format!("a gRPC method answered {status}")));
    };
    let text = read.detail.as_deref().unwrap_or(kind.title());
    written(parts.headers, kind, code(kind), text, &document)
}

fn ended(problem: Problem, code: Code) -> Response {
    let kind = problem.kind();
    let body = problem.to_json();
    let text = body["detail"].as_str().unwrap_or(kind.title());
    let headers = std::mem::take(problem.into_response().headers_mut());
    written(headers, kind, code, text, body.to_string().as_bytes())
}

fn written(
    mut headers: HeaderMap,
    kind: ProblemType,
    code: Code,
    text: &str,
    document: &[u8],
) -> Response {
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(PROBLEM, HeaderValue::from_static(kind.slug()));
    if document.len() <= MAX_DOCUMENT_BYTES
        && let Ok(value) = HeaderValue::try_from(BASE64_STANDARD_NO_PAD.encode(document))
    {
        headers.insert(DOCUMENT, value);
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    if let Some(seconds) = seconds.and_then(|wait| wait.parse::<u64>().ok()) {
        headers.insert(PUSHBACK, HeaderValue::from(seconds.saturating_mul(1_000)));
    }
    headers.extend(trailers(code, Some(text)));
    let mut response = (StatusCode::OK, Body::empty()).into_response();
    *response.headers_mut() = headers;
    response
}

/// `docs/grpc.md` has this table.
const fn code(kind: ProblemType) -> Code {
    match kind {
        ProblemType::EmailTaken | ProblemType::MessageIdReused => Code::AlreadyExists,
        ProblemType::Conflict | ProblemType::PreconditionFailed => Code::Aborted,
        ProblemType::NotOrderable => Code::FailedPrecondition,
        ProblemType::PayloadTooLarge | ProblemType::HeadersTooLarge => Code::ResourceExhausted,
        kind => match kind.status() {
            400 | 414 | 415 | 422 => Code::InvalidArgument,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            405 => Code::Unimplemented,
            409 | 410 => Code::FailedPrecondition,
            429 => Code::ResourceExhausted,
            408 | 504 => Code::DeadlineExceeded,
            503 => Code::Unavailable,
            _ => Code::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_problem_is_an_outcome_without_a_message() {
        let problem = Problem::new(ProblemType::Forbidden).detail("nicht schön: 100%\n");
        let answer = refusal(problem);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["grpc-status"], "7");
        assert_eq!(
            answer.headers()["grpc-message"],
            "nicht sch%C3%B6n: 100%25%0A"
        );
        assert_eq!(answer.headers()["pasar-problem"], "forbidden");
        assert_eq!(answer.headers()["content-type"], "application/grpc");
    }

    #[tokio::test]
    async fn an_extractors_problem_becomes_the_same_refusal() {
        let problem = || {
            Problem::new(ProblemType::UnknownSku)
                .with("skus", ["no-such"])
                .retry_after(Duration::from_secs(2))
        };
        let (direct, read) = (refusal(problem()), of(problem().into_response()).await);
        assert_eq!(direct.headers(), read.headers());
        let document = BASE64_STANDARD_NO_PAD
            .decode(&direct.headers()["pasar-problem-bin"])
            .unwrap();
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["skus"][0], "no-such");
        assert_eq!(direct.headers()["grpc-status"], "3");
        assert_eq!(direct.headers()["grpc-retry-pushback-ms"], "2000");
    }

    #[tokio::test]
    async fn what_is_no_problem_is_our_defect() {
        let answer = of((StatusCode::IM_A_TEAPOT, "tea").into_response()).await;
        assert_eq!(answer.headers()["grpc-status"], "13");
        assert_eq!(answer.headers()["pasar-problem"], "internal");
    }

    #[test]
    fn a_long_document_is_left_out() {
        let problem = Problem::new(ProblemType::UnknownSku).with("skus", vec!["x"; 5_000]);
        let answer = refusal(problem);
        assert!(!answer.headers().contains_key("pasar-problem-bin"));
        assert_eq!(answer.headers()["pasar-problem"], "unknown-sku");
    }

    #[test]
    fn nothing_there_and_no_such_method_are_told_apart() {
        let status = |answer: Response| answer.headers()["grpc-status"].clone();
        assert_eq!(status(refusal(Problem::new(ProblemType::NotFound))), "5");
        assert_eq!(status(unrouted(Problem::new(ProblemType::NotFound))), "12");
    }
}
