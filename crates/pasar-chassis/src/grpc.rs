//! gRPC over HTTP/2 (its protocol document, "gRPC over HTTP2") as far as unary calls and server streams need
//! it: messages are framed by five bytes, the outcome is a trailer. Messages are not compressed.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, TRANSFER_ENCODING},
};
use http_body::Frame;
use http_body_util::{BodyExt, Limited, StreamBody};
use pasar_contracts::problem::ProblemType;

use crate::problem::Problem;

/// The outcome of a call; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

pub const MEDIA_TYPE: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The name of the problem's type, for programs.
const PROBLEM: HeaderName = HeaderName::from_static("pasar-problem");
/// A flag, and the length of the message in four bytes.
pub const PREFIX_BYTES: usize = 5;

/// Whether a request, or an answer, speaks gRPC.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let rest = kind.as_bytes().strip_prefix(MEDIA_TYPE.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || matches!(rest[0], b'+' | b';'))
    })
}

/// The one message of a request.
pub async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    if !is_grpc(headers) {
        return Err(Problem::new(ProblemType::UnsupportedMediaType)
            .detail("this is a gRPC method: the body must be application/grpc"));
    }
    let whole = Limited::new(body, most + PREFIX_BYTES).collect().await;
    let mut whole = whole
        .map_err(|_| {
            Problem::new(ProblemType::PayloadTooLarge)
                .detail(format!("a message may have at most {most} bytes"))
        })?
        .to_bytes();
    if whole.len() < PREFIX_BYTES {
        return Err(malformed("the message is missing"));
    }
    if whole.get_u8() != 0 {
        return Err(malformed("compressed messages are not accepted"));
    }
    let length = usize::try_from(whole.get_u32()).unwrap_or(usize::MAX);
    if length != whole.len() {
        return Err(malformed("expected exactly one message"));
    }
    Ok(whole)
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(ProblemType::InvalidRequest).detail(detail)
}

/// What stands before a message of so many bytes.
#[must_use]
pub fn prefix(length: usize) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// Framed messages as they come, and how it ended.
pub fn stream(messages: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let frames = messages.map(Frame::data);
    let end = stream::once(async { Frame::trailers(trailers(Code::Ok, None)) });
    let frames = frames.chain(end).map(Ok::<_, std::convert::Infallible>);
    let mut response = Body::new(StreamBody::new(frames)).into_response();
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A problem as the outcome of a call: there is no message, only the outcome.
#[must_use]
pub fn refusal(problem: Problem) -> Response {
    let kind = problem.kind();
    let body = problem.to_json();
    let text = body["detail"].as_str().unwrap_or(kind.title());
    let outcome = trailers(code(kind), Some(text));
    let mut response = problem.into_response();
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(PROBLEM, HeaderValue::from_static(kind.slug()));
    headers.extend(outcome);
    response
}

/// The trailers that end an answer.
#[must_use]
pub fn trailers(code: Code, message: Option<&str>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from(code as u16));
    if let Some(message) = message.and_then(|text| HeaderValue::try_from(percent(text)).ok()) {
        trailers.insert(MESSAGE, message);
    }
    trailers
}

const fn code(kind: ProblemType) -> Code {
    match kind.status() {
        400 | 413 | 414 | 415 | 422 | 431 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 405 => Code::Unimplemented,
        409 => Code::Aborted,
        412 => Code::FailedPrecondition,
        429 => Code::ResourceExhausted,
        408 | 504 => Code::DeadlineExceeded,
        503 => Code::Unavailable,
        _ => Code::Internal,
    }
}

/// Percent-encodes what may not stand in a `grpc-message`.
fn percent(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            match byte {
                b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_bytes(bytes: &'static [u8]) -> Result<Bytes, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/grpc+proto"),
        );
        read(&headers, Body::from(bytes), 4)
            .await
            .map_err(|problem| problem.status().as_u16())
    }

    #[tokio::test]
    async fn exactly_one_message_is_read() {
        assert_eq!(read_bytes(b"\0\0\0\0\x02ab").await.unwrap(), "ab");
        assert_eq!(read_bytes(b"\0\0\0\0\0").await.unwrap(), "");
        for bad in [&b""[..], b"\0\0\0", b"\x01\0\0\0\x01a", b"\0\0\0\0\x02a"] {
            assert_eq!(read_bytes(bad).await, Err(400));
        }
        assert_eq!(read_bytes(b"\0\0\0\0\x05abcde").await, Err(413));
    }

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

    #[test]
    fn only_grpc_speaks_grpc() {
        for (kind, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_grpc(&headers), is, "{kind}");
        }
    }
}
