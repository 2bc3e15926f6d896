//! Following one order by its link, without a login and without personal data.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use pasar_chassis::{
    etag,
    extract::{IfNoneMatch, Json, LastEventId, Path, Prefer},
    openapi::{CommonProblems, NoLongerKeptProblem, NotFoundProblem},
    problem::Problem,
};
use pasar_contracts::api::orders::{OrderChange, WatchedOrder};
use pasar_types::id::OrderId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, not_found, shown, stream};

/// How long a link works after its order settled.
const VALID_AFTER_SETTLING: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_watched))
        .routes(routes!(get_watched_events))
}

/// The order that a link leads to
///
/// Waits like `GET /v1/orders/{id}`. The link works until a day after the order has settled.
#[utoipa::path(
    get, path = "/v1/watch/{token}", tag = "orders", operation_id = "watchOrder",
    params(
        ("token" = String, Path, description = "From the order's `watch_url`."),
        ("Prefer" = Option<String>, Header, description = "How long to wait, in seconds, at most 60.", example = "wait=5"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the client has.", example = "\"v3\""),
    ),
    responses(
        (status = 200, description = "The order.", body = WatchedOrder, headers(
            ("ETag" = String, description = "Its version."),
            ("Preference-Applied" = String, description = "The wait that was granted."),
        )),
        (status = 304, description = "It is still in that version."),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_watched(
    State(api): State<Arc<Api>>,
    Path(token): Path<String>,
    Prefer { wait }: Prefer,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    let id = api.watched(&token).await?;
    let row = api.changed(id, wait, &if_none_match).await?;
    let version = row.order.keyversion;
    let response = if if_none_match.names(version) {
        etag::not_modified(version)
    } else {
        etag::tagged(version, Json(shown::watched(row)))
    };
    Ok(shown::preferred(response, wait))
}

/// Every change of the order that a link leads to
///
/// Server-sent events like those of `/v1/orders/{id}/events`.
#[utoipa::path(
    get, path = "/v1/watch/{token}/events", tag = "orders", operation_id = "streamWatchedOrder",
    params(
        ("token" = String, Path, description = "From the order's `watch_url`."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last change that the client saw.", example = "3"),
    ),
    responses(
        (status = 200, description = "The changes.", body = OrderChange, content_type = "text/event-stream"),
        CommonProblems, NotFoundProblem, NoLongerKeptProblem,
    ),
)]
async fn get_watched_events(
    State(api): State<Arc<Api>>,
    Path(token): Path<String>,
    LastEventId(last): LastEventId,
) -> Result<Response, Problem> {
    let id = api.watched(&token).await?;
    stream::order(&api, id, last)
}

impl Api {
    /// The order that a token leads to. An invalid token and one past its time are told apart for nobody.
    async fn watched(&self, token: &str) -> Result<OrderId, Problem> {
        let id = self.links.order(token).ok_or_else(not_found)?;
        let row = self.order(id).await?;
        let now = self.host.clock.now();
        let settled_at = row.order.settled_at;
        if settled_at.is_some_and(|settled| now > settled + VALID_AFTER_SETTLING) {
            return Err(not_found());
        }
        Ok(id)
    }
}
