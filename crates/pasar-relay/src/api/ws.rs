//! Streams over a WebSocket: many topics on one connection, resumed and acknowledged by the client.

mod frames;
mod session;

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use pasar_chassis::{
    handover::{HandsOver, TakesOver},
    identity::{ClientAddress, Identity},
    openapi::CommonProblems,
    problem::Problem,
};
use pasar_contracts::problem::ProblemType;
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::session::Session;
use super::Api;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(open_web_socket))
}

/// RFC 6455, section 1.3.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Follow topics over a WebSocket
///
/// JSON text frames: `subscribe`, `unsubscribe`, `resume`, `ack` and `ping` from the client; `subscribed`,
/// `message`, `gap`, `error` and `pong` from the relay. `docs/live.md` describes them.
#[utoipa::path(
    get, path = "/v1/ws", tag = "relay", operation_id = "openWebSocket",
    responses(
        (status = 101, description = "A WebSocket (RFC 6455)."),
        CommonProblems,
    ),
)]
async fn open_web_socket(
    State(api): State<Arc<Api>>,
    identity: Identity,
    address: ClientAddress,
    HandsOver(hands_over): HandsOver,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let is_local = address.0.is_some_and(|address| address.is_loopback());
    if identity.is_anonymous() && !(api.config.open_client_topic && is_local) {
        return Err(Problem::unauthenticated());
    }
    let accept = accept(&headers)?;
    if !hands_over {
        return Err(malformed(
            "a WebSocket needs a connection of its own, by HTTP/1.1",
        ));
    }
    let session = Session::new(api, identity, address);
    let fields = [
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ];
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, fields).into_response();
    let takes_over = TakesOver::new(move |socket, ended| session.run(socket, ended));
    response.extensions_mut().insert(takes_over);
    Ok(response)
}

/// What proves to the client that it was understood.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let names = |header: HeaderName, wanted: &str| {
        let mut values = headers.get_all(header).iter();
        values.any(|value| {
            let mut names = value.as_bytes().split(|byte| *byte == b',');
            names.any(|name| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
        })
    };
    if !names(UPGRADE, "websocket") || !names(CONNECTION, "upgrade") {
        return Err(malformed(
            "open a WebSocket here: Connection: Upgrade, Upgrade: websocket",
        ));
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return Err(malformed("the only Sec-WebSocket-Version is 13")
            .header(SEC_WEBSOCKET_VERSION, VERSION));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY);
    let key = key
        .and_then(|key| key.to_str().ok())
        .filter(|key| {
            BASE64_STANDARD
                .decode(key)
                .is_ok_and(|bytes| bytes.len() == 16)
        })
        .ok_or_else(|| malformed("Sec-WebSocket-Key must be 16 bytes in base64"))?;
    // What the protocol asks for; nothing is kept secret by it.
    let hash = digest::digest(
        &SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}{KEY_SUFFIX}").as_bytes(),
    );
    HeaderValue::try_from(BASE64_STANDARD.encode(hash))
        .map_err(|_| Problem::defect("base64 is visible ASCII"))
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(ProblemType::InvalidRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_accepted_as_it_says() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (UPGRADE, "WebSocket"),
            (CONNECTION, "keep-alive, Upgrade"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for name in [
            UPGRADE,
            CONNECTION,
            SEC_WEBSOCKET_VERSION,
            SEC_WEBSOCKET_KEY,
        ] {
            let mut without = headers.clone();
            without.remove(&name);
            assert_eq!(accept(&without).unwrap_err().status(), 400, "{name}");
        }
    }
}
