//! Requests that want to leave HTTP: a WebSocket. Browsers ask nobody before they open one to anywhere, so
//! its origin is looked at here.

use http::{
    HeaderMap, Method, Version,
    header::{CONTENT_LENGTH, ORIGIN, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;

use crate::{cors::Cors, credential::Credential, session_cookie::OwnOrigins};

/// Whether a request asks for a WebSocket, in a form that may be passed on. 400 if it asks in another, 403
/// if a page of a foreign origin does: what it brings could only be what the browser added by itself.
pub(crate) fn check(
    parts: &Parts,
    credential: &Credential,
    own: &OwnOrigins,
    cors: &Cors,
) -> Result<(), Problem> {
    if !is_websocket(&parts.headers) {
        return Ok(());
    }
    let has_body = parts.headers.contains_key(TRANSFER_ENCODING)
        || parts
            .headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    if parts.method != Method::GET || parts.version != Version::HTTP_11 || has_body {
        return Err(Problem::new(ProblemType::InvalidRequest)
            .detail("a WebSocket begins with a GET without a body, by HTTP/1.1"));
    }
    let Some(origin) = parts.headers.get(ORIGIN) else {
        return Ok(());
    };
    // No page can set the Authorization of a WebSocket.
    let by_program = matches!(credential, Credential::Bearer(_));
    if by_program || own.accepts(&Method::GET, &parts.headers)? || cors.allows(origin) {
        return Ok(());
    }
    Err(Problem::new(ProblemType::Forbidden)
        .detail("pages of this origin may not open a WebSocket here; gateway.cors_origins lists those that may"))
}

pub(crate) fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}
