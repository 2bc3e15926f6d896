//! What is here, for who opens the address.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use pasar_chassis::openapi::CommonProblems;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pages::{Pages, page, wants_html};

/// Where to go from here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Index {
    #[schema(example = "Pasar")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    #[schema(example = "http://127.0.0.1:8080/docs")]
    docs: String,
    #[schema(example = "http://127.0.0.1:8080/openapi.json")]
    openapi: String,
    #[schema(example = "http://127.0.0.1:8080/asyncapi.json")]
    asyncapi: String,
    #[schema(example = "http://127.0.0.1:8080/problems")]
    problems: String,
    #[schema(example = "http://127.0.0.1:8080/readyz")]
    ready: String,
}

const CONTENT: &str = "<h1>Pasar</h1><p>Takes an order once and never loses it: stock and money settle \
    exactly once, and everyone who must know is told.</p><ul>\
    <li><a href=\"/docs\">The API</a>, and its <a href=\"/openapi.json\">OpenAPI document</a>\
    <li>What is pushed, as an <a href=\"/asyncapi.json\">AsyncAPI document</a>\
    <li><a href=\"/problems\">What can go wrong</a>, by name\
    <li><a href=\"/v1/products\">The menu</a> and <a href=\"/v1/board\">the board</a>, as anybody sees them\
    <li><a href=\"/healthz\">Alive?</a> <a href=\"/readyz\">Ready?</a></ul>";

/// Says what is here, as a page or as JSON.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "getIndex",
    tag = "gateway",
    responses(
        (status = 200, description = "What is here", body = Index, content_type = "application/json"),
        CommonProblems,
    )
)]
pub(super) async fn get_index(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    if wants_html(&headers) {
        return page("Welcome", CONTENT);
    }
    let at = |path| format!("{}{path}", pages.public_url);
    Json(Index {
        name: "Pasar",
        version: env!("CARGO_PKG_VERSION"),
        docs: at("/docs"),
        openapi: at("/openapi.json"),
        asyncapi: at("/asyncapi.json"),
        problems: at("/problems"),
        ready: at("/readyz"),
    })
    .into_response()
}
