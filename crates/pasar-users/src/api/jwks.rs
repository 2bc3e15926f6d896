//! The keys that access tokens are checked with.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use pasar_chassis::{extract::Json, openapi::CommonProblems};
use pasar_contracts::api::users::Jwks;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(get_jwks))
}

/// The public keys of access tokens (RFC 7517)
///
/// A new key is listed five minutes before it signs; an old one until its last token has ended.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "users", operation_id = "getJwks",
    responses((status = 200, description = "The keys.", body = Jwks), CommonProblems),
)]
async fn get_jwks(State(api): State<Shared>) -> Response {
    let keys = &api.authentication.access_tokens.keys;
    let jwks = keys.jwks(api.store.clock().now());
    ([(CACHE_CONTROL, "public, max-age=60")], Json(jwks)).into_response()
}
