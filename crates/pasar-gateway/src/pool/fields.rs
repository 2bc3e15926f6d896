//! Header fields that belong to one connection and do not pass (RFC 9110, section 7.6.1).

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version,
    header::{
        CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
    request::Parts,
};
use pasar_chassis::{cause::FLOW_HEADER, handover::TakesOver};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
pub(super) const OF_ONE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What the gateway's own answer to the client says instead.
pub(super) fn to_upstream(parts: &mut Parts, upgrades: bool, is_grpc: bool) {
    let upgrade = parts.headers.get(UPGRADE).cloned().filter(|_| upgrades);
    strip(&mut parts.headers);
    parts.version = Version::HTTP_11;
    if let Some(path) = parts.uri.path_and_query() {
        parts.uri = Uri::from(path.clone());
    }
    // The body is read here, so the client is told to go on here.
    parts.headers.remove(EXPECT);
    // Instances are known by their addresses; the client's name for the system is its own.
    parts.headers.remove(HOST);
    if let Some(upgrade) = upgrade {
        parts.headers.insert(UPGRADE, upgrade);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if is_grpc {
        parts.headers.insert(TE, TRAILERS);
    }
}

pub(super) fn from_upstream(mut response: Response<Body>) -> Response<Body> {
    if response.extensions().get::<TakesOver>().is_none() {
        strip(response.headers_mut());
    }
    response.headers_mut().remove(FLOW_HEADER);
    response
}

fn strip(headers: &mut HeaderMap) {
    // Most requests have none, and one pass tells.
    if !headers.keys().any(|name| OF_ONE_CONNECTION.contains(name)) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_ONE_CONNECTION) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn passed(fields: &[(&'static str, &'static str)], upgrades: bool) -> HeaderMap {
        let mut request = Request::get("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        to_upstream(&mut parts, upgrades, false);
        parts.headers
    }

    #[test]
    fn what_belongs_to_the_clients_connection_stays_here() {
        let left = passed(
            &[
                ("connection", "close, x-secret"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("te", "gzip"),
                ("transfer-encoding", "chunked"),
                ("expect", "100-continue"),
                ("host", "kopi.example"),
                ("upgrade", "h2c"),
                ("prefer", "wait=5"),
            ],
            false,
        );
        let names: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["prefer"]);
    }

    #[test]
    fn an_upgrade_is_asked_for_anew() {
        let left = passed(
            &[("connection", "Upgrade, x"), ("upgrade", "websocket")],
            true,
        );
        assert_eq!(left[CONNECTION], "upgrade");
        assert_eq!(left[UPGRADE], "websocket");
    }
}
