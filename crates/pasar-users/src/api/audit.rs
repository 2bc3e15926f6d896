//! The audit trail, for admins.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use pasar_chassis::{extract::Query, openapi::CommonProblems, page, problem::Problem};
use pasar_contracts::api::{
    page::{Page, PageQuery},
    users::{AuditEntry, AuditQuery},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Shared, caller::Admin};
use crate::queries::{self, Stretch};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// The audit trail, newest first
#[utoipa::path(
    get, path = "/v1/audit", tag = "users", operation_id = "listAudit",
    params(AuditQuery),
    responses((status = 200, description = "A page of entries.", body = Page<AuditEntry>), CommonProblems),
)]
async fn list_audit(
    State(api): State<Shared>,
    _: Admin,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let pages = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page::limit(&pages)?, page::after(&pages)?);
    let stretch = Stretch {
        after,
        limit: limit + 1,
    };
    let rows = api
        .store
        .read(move |tx| queries::audit(tx, query.user_id, stretch))
        .await?;
    Ok(page::respond(
        page::cut(rows, limit, |entry| entry.id),
        &uri,
    ))
}
