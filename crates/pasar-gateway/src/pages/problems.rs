//! What can go wrong, by the names that problem documents carry.

use std::fmt::Write;

use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use pasar_chassis::{
    openapi::{CommonProblems, NotFoundProblem},
    problem::Problem,
};
use pasar_contracts::problem::ProblemType;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pages::{page, wants_html};

/// One kind of problem.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemKind {
    #[serde(rename = "type")]
    #[schema(example = "/problems/not-found")]
    kind: String,
    #[schema(example = "Not found")]
    title: &'static str,
    #[schema(example = 404)]
    status: u16,
    /// When it occurs and what to do about it.
    #[schema(example = "There is no such thing, or it is not yours to see.")]
    description: &'static str,
}

/// Every kind of problem.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemKinds {
    items: Vec<ProblemKind>,
}

/// Lists every kind of problem, as a page or as JSON.
#[utoipa::path(
    get,
    path = "/problems",
    operation_id = "listProblems",
    tag = "gateway",
    responses(
        (status = 200, description = "All kinds", body = ProblemKinds, content_type = "application/json"),
        CommonProblems,
    )
)]
pub(super) async fn list_problems(headers: HeaderMap) -> Response {
    if !wants_html(&headers) {
        let items = ProblemType::ALL
            .iter()
            .map(|kind| ProblemKind::of(*kind))
            .collect();
        return Json(ProblemKinds { items }).into_response();
    }
    let mut rows = String::new();
    for kind in ProblemType::ALL {
        let (slug, status, title) = (kind.slug(), kind.status(), kind.title());
        // Writing to a String cannot fail.
        let _ = write!(
            rows,
            "<tr><td>{status}<td><a href=\"/problems/{slug}\">{slug}</a><td>{}",
            escape(title)
        );
    }
    page(
        "What can go wrong",
        &format!("<h1>What can go wrong</h1><table>{rows}</table>"),
    )
}

/// Says what a kind of problem means, as a page or as JSON.
#[utoipa::path(
    get,
    path = "/problems/{slug}",
    operation_id = "getProblem",
    tag = "gateway",
    params(("slug" = String, Path, description = "The last part of the `type`", example = "not-found")),
    responses(
        (status = 200, description = "The kind", body = ProblemKind, content_type = "application/json"),
        NotFoundProblem,
        CommonProblems,
    )
)]
pub(super) async fn get_problem(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    let Some(kind) = ProblemType::ALL.iter().find(|kind| kind.slug() == slug) else {
        return Problem::new(ProblemType::NotFound).into_response();
    };
    let ProblemKind {
        title,
        status,
        description,
        ..
    } = ProblemKind::of(*kind);
    if !wants_html(&headers) {
        return Json(ProblemKind::of(*kind)).into_response();
    }
    let (title, description) = (escape(title), escape(description));
    page(
        &title,
        &format!(
            "<h1>{title}</h1><p><code>{slug}</code>, status {status}<p>{description}<p><a href=\"/problems\">All kinds</a>"
        ),
    )
}

impl ProblemKind {
    fn of(kind: ProblemType) -> Self {
        Self {
            kind: format!("/problems/{}", kind.slug()),
            title: kind.title(),
            status: kind.status(),
            description: kind.description().trim(),
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
