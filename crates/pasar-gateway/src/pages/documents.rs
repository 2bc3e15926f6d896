//! The OpenAPI document, a page that shows it without anything from elsewhere, and the AsyncAPI document.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::HeaderMap;
use pasar_chassis::openapi::CommonProblems;

use crate::pages::Pages;

/// The OpenAPI 3.1 document of all operations.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenapi",
    tag = "gateway",
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/json"),
        (status = 304, description = "It is the one named in If-None-Match"),
        CommonProblems,
    )
)]
pub(super) async fn get_openapi(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    pages.openapi.respond(&headers)
}

/// The AsyncAPI 3.0 document of all that is pushed: every service's events, and messages of clients.
#[utoipa::path(
    get,
    path = "/asyncapi.json",
    operation_id = "getAsyncapi",
    tag = "gateway",
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/json"),
        (status = 304, description = "It is the one named in If-None-Match"),
        CommonProblems,
    )
)]
pub(super) async fn get_asyncapi(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    pages.asyncapi.respond(&headers)
}

/// The API, to read and to try.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    tag = "gateway",
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 304, description = "It is the one named in If-None-Match"),
        CommonProblems,
    )
)]
pub(super) async fn get_docs(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    pages.docs.respond(&headers)
}

/// The script of the API page.
#[utoipa::path(
    get,
    path = "/docs/docs.js",
    operation_id = "getDocsScript",
    tag = "gateway",
    responses(
        (status = 200, description = "A script", body = String, content_type = "text/javascript"),
        (status = 304, description = "It is the one named in If-None-Match"),
        CommonProblems,
    )
)]
pub(super) async fn get_script(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    pages.script.respond(&headers)
}

/// The style of the gateway's pages.
#[utoipa::path(
    get,
    path = "/docs/style.css",
    operation_id = "getDocsStyle",
    tag = "gateway",
    responses(
        (status = 200, description = "A style sheet", body = String, content_type = "text/css"),
        (status = 304, description = "It is the one named in If-None-Match"),
        CommonProblems,
    )
)]
pub(super) async fn get_style(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    pages.style.respond(&headers)
}
