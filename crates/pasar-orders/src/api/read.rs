//! Reading one order: as it stands, when it changes, or every change as it happens.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use pasar_chassis::{
    etag,
    extract::{IfNoneMatch, LastEventId, Path, Prefer},
    openapi::{CommonProblems, NoLongerKeptProblem, NotFoundProblem},
    problem::Problem,
};
use pasar_contracts::api::orders::{Order, OrderChange};
use pasar_store::feed::FeedEvent;
use pasar_types::id::OrderId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, Viewer, shown, stream};
use crate::{queries::OrderRow, waiting};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get_order))
        .routes(routes!(get_order_events))
}

/// One order
///
/// With `Prefer: wait=N` and `If-None-Match` it answers when the order changes (long poll), else 304
/// after N seconds; with `Prefer: wait=N` alone, when it is settled or needs the customer.
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "orders", operation_id = "getOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Prefer" = Option<String>, Header, description = "How long to wait, in seconds, at most 60.", example = "wait=5"),
        ("If-None-Match" = Option<String>, Header, description = "The version that the client has.", example = "\"v3\""),
    ),
    responses(
        (status = 200, description = "The order.", body = Order, headers(
            ("ETag" = String, description = "Its version."),
            ("Preference-Applied" = String, description = "The wait that was granted."),
        )),
        (status = 304, description = "It is still in that version."),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_order(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Path(id): Path<OrderId>,
    Prefer { wait }: Prefer,
    if_none_match: IfNoneMatch,
) -> Result<Response, Problem> {
    api.whereabouts(&viewer, id).await?;
    let row = api.changed(id, wait, &if_none_match).await?;
    let response = if if_none_match.names(row.order.keyversion) {
        etag::not_modified(row.order.keyversion)
    } else {
        shown::answer(row, &api.links)
    };
    Ok(shown::preferred(response, wait))
}

/// Every change of an order, as it happens
///
/// Server-sent events, from the first change on, or from the one after `Last-Event-ID`. Ends some seconds
/// after the order is collected, abandoned or cancelled.
#[utoipa::path(
    get, path = "/v1/orders/{id}/events", tag = "orders", operation_id = "streamOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last change that the client saw.", example = "3"),
    ),
    responses(
        (status = 200, description = "The changes.", body = OrderChange, content_type = "text/event-stream"),
        CommonProblems, NotFoundProblem, NoLongerKeptProblem,
    ),
)]
async fn get_order_events(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Path(id): Path<OrderId>,
    LastEventId(last): LastEventId,
) -> Result<Response, Problem> {
    api.whereabouts(&viewer, id).await?;
    stream::order(&api, id, last)
}

impl Api {
    /// An order once it is in another version than the client has, or the wait is over.
    pub(super) async fn changed(
        &self,
        id: OrderId,
        wait: Option<Duration>,
        if_none_match: &IfNoneMatch,
    ) -> Result<OrderRow, Problem> {
        let Some(longest) = wait.filter(|_| !if_none_match.is_absent()) else {
            return self.awaited(id, wait).await;
        };
        let mut watch = self.tail.watch(&id.to_string());
        let row = self.order(id).await?;
        if !if_none_match.names(row.order.keyversion) {
            return Ok(row);
        }
        // What was committed before the row was read may be heard only now.
        let newer = |event: &FeedEvent| event.keyversion > row.order.keyversion;
        waiting::for_event(&self.host, &mut watch, longest, newer).await;
        self.order(id).await
    }
}
