//! gRPC over HTTP/2 (its protocol document, "gRPC over HTTP2"): unary methods and server streams as routes of
//! axum, beside REST and with the same extractors. Messages are framed by five bytes, the outcome is a trailer.
//! Messages are not compressed.

mod deadline;
mod frames;
pub mod health;
pub mod method;
pub mod reflection;
mod refusal;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use pasar_feed::tasks::Tasks;

pub use self::{
    deadline::timeout,
    frames::{PREFIX_BYTES, prefix, read},
    refusal::{refusal, unrouted},
};

/// The outcome of a call; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
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
/// Characters of a message that are sent: metadata has narrow limits.
const MAX_MESSAGE_CHARS: usize = 1_000;

/// Whether a request, or an answer, speaks gRPC.
#[must_use]
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let rest = kind.as_bytes().strip_prefix(MEDIA_TYPE.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || matches!(rest[0], b'+' | b';'))
    })
}

/// Framed messages as they come, and that it went well.
pub fn stream(messages: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    with_end(messages, || trailers(Code::Ok, None))
}

/// The same, until the process drains: then the client is told to go on at another.
pub fn stream_until_drain(
    tasks: &Tasks,
    messages: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let draining = tasks.clone();
    let messages = messages.take_until(async move { draining.draining().await });
    stream_to_the_end(tasks, messages)
}

/// Messages until there are no more. If the process drains by then, the client is told to go on at another.
fn stream_to_the_end(
    tasks: &Tasks,
    messages: impl Stream<Item = Bytes> + Send + 'static,
) -> Response {
    let tasks = tasks.clone();
    with_end(messages, move || {
        if tasks.is_draining() {
            trailers(Code::Unavailable, Some("this process ends: call again"))
        } else {
            trailers(Code::Ok, None)
        }
    })
}

fn with_end(
    messages: impl Stream<Item = Bytes> + Send + 'static,
    end: impl FnOnce() -> HeaderMap + Send + 'static,
) -> Response {
    let frames = messages.map(Frame::data);
    let end = stream::once(async move { Frame::trailers(end()) });
    let frames = frames.chain(end).map(Ok::<_, std::convert::Infallible>);
    let mut response = Body::new(StreamBody::new(frames)).into_response();
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
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

/// Percent-encodes what may not stand in a `grpc-message`.
fn percent(text: &str) -> String {
    let end = text.char_indices().nth(MAX_MESSAGE_CHARS);
    let text = end.map_or(text, |(end, _)| &text[..end]);
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

    #[test]
    fn a_message_is_ascii_and_of_bounded_length() {
        assert_eq!(
            percent("nicht schön: 100%\n"),
            "nicht sch%C3%B6n: 100%25%0A"
        );
        assert_eq!(percent(&"é".repeat(5_000)).len(), 6 * MAX_MESSAGE_CHARS);
    }
}
