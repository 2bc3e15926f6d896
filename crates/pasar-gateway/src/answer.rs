//! What every answer carries, whichever service gave it.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, ETAG, LAST_MODIFIED, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use pasar_chassis::{
    cause::{Arrival, FLOW_HEADER},
    problem::{MEDIA_TYPE, Problem},
};
use pasar_contracts::problem::ProblemType;

use crate::{cors::Cors, http1::fields};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_BYTES: usize = 128;
const NO_CONTENT_OF_OURS: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The same for answers that are written as lines, and the default of `Cache-Control`.
pub(crate) const NO_CONTENT_LINE: &[u8] =
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n";
pub(crate) const NO_STORE_LINE: &[u8] = b"cache-control: no-store\r\n";
/// What is said of a body, and falls with it.
const OF_BODIES: [HeaderName; 6] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    ETAG,
    LAST_MODIFIED,
    WWW_AUTHENTICATE,
];

/// The client's own name for its request, if it is harmless.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    is_harmless(id.as_bytes()).then(|| id.clone())
}

/// Whether a client's name for its request may be repeated.
pub(crate) fn is_harmless(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

pub(crate) fn write_ids(
    client_id: Option<&HeaderValue>,
    arrival: &Arrival,
    headers: &mut HeaderMap,
) {
    let request_id = client_id.cloned().map_or_else(
        || HeaderValue::try_from(arrival.request.to_string()).ok(),
        Some,
    );
    if let Some(id) = request_id {
        headers.insert(REQUEST_ID, id);
    }
    if let Ok(flow) = HeaderValue::try_from(arrival.flow.to_string()) {
        headers.insert(FLOW_HEADER, flow);
    }
}

/// What keeps browsers from doing more with an answer than was meant. A page's own policy stays.
pub(crate) fn write_security(transport_security: Option<&HeaderValue>, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(NO_CONTENT_OF_OURS);
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(value) = transport_security {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
}

/// The fields that are the same for all answers to whoever comes from no other origin, as lines.
pub(crate) fn lines(cors: &Cors, transport_security: Option<&HeaderValue>) -> Box<[u8]> {
    let mut headers = HeaderMap::new();
    write_security(transport_security, &mut headers);
    // These two only where the service says nothing.
    headers.remove(CONTENT_SECURITY_POLICY);
    headers.remove(CACHE_CONTROL);
    cors.write_fields(None, &mut headers);
    let mut lines = Vec::new();
    for (name, value) in &headers {
        fields::write(&mut lines, name.as_str(), value.as_bytes());
    }
    lines.into()
}

/// Every refusal and failure is a problem document, also where a router answered by itself. What was
/// said in other headers than those of the body still holds.
pub(crate) fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == MEDIA_TYPE);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut problem = Problem::new(kind(status)).into_response();
    let (parts, _) = response.into_parts();
    for (name, value) in &parts.headers {
        if !OF_BODIES.contains(name) {
            problem.headers_mut().append(name, value.clone());
        }
    }
    problem
}

/// The answer to OPTIONS: what else may be done there, of which routers tell with their 405.
pub(crate) fn options(response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let mut methods = response
        .headers()
        .get(ALLOW)
        .map_or_else(Vec::new, |allow| allow.as_bytes().to_vec());
    if !methods.is_empty() {
        methods.extend_from_slice(b",");
    }
    methods.extend_from_slice(b"OPTIONS");
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(methods) = HeaderValue::from_bytes(&methods) {
        answer.headers_mut().insert(ALLOW, methods);
    }
    answer
}

pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"text/event-stream") || kind.starts_with(b"application/x-ndjson")
    })
}

/// The most general type of a status.
pub(crate) fn kind(status: StatusCode) -> ProblemType {
    let of_status = |kind: &&ProblemType| kind.status() == status.as_u16();
    let general = match status {
        StatusCode::UNPROCESSABLE_ENTITY => Some(ProblemType::ValidationFailed),
        StatusCode::SERVICE_UNAVAILABLE => Some(ProblemType::Unavailable),
        _ => ProblemType::ALL.iter().find(of_status).copied(),
    };
    general.unwrap_or(if status.is_server_error() {
        ProblemType::Internal
    } else {
        ProblemType::InvalidRequest
    })
}
