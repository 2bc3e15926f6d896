//! Flows: what happened because of one request, and what is still to come.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::Uri;
use pasar_chassis::{
    extract::{Json, Path, Query},
    identity::Identity,
    openapi::{CommonProblems, NotFoundProblem},
    page::{self, Cursor},
    problem::Problem,
};
use pasar_contracts::{
    api::flows::{DEFAULT_FLOW_LIMIT, Flow, FlowQuery, MAX_FLOW_LIMIT},
    problem::ProblemType,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;
use crate::flows::{self, Viewer};

/// A longer text is no id of anything.
const MAX_ID_BYTES: usize = 255;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(get_flow))
}

/// One flow, with every delivery and what it waits for
///
/// The id is a flow's, or that of anything in it: an order, a payment, a message, a request. Staff sees
/// everything; others what they sent, what their scopes let them read, and customers the events of their
/// own orders. Messages that the log no longer keeps are not shown.
#[utoipa::path(
    get, path = "/v1/flows/{id}", tag = "relay", operation_id = "getFlow",
    params(
        ("id" = String, Path, description = "`flw_..`, `ord_..`, `pay_..`, `req_..`, a message's id, or an aggregate's key.",
            example = "ord_01h455vb4pex5vsknk084sn02q"),
        FlowQuery,
    ),
    responses(
        (status = 200, description = "A page of the flow.", body = Flow,
            headers(("Link" = String, description = "The next page, if there is one."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_flow(
    State(api): State<Arc<Api>>,
    identity: Identity,
    Path(id): Path<String>,
    Query(query): Query<FlowQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    if identity.is_anonymous() {
        return Err(Problem::unauthenticated());
    }
    let limit = query.limit.unwrap_or(DEFAULT_FLOW_LIMIT);
    if !(1..=MAX_FLOW_LIMIT).contains(&limit) {
        let expected = format!("expected 1 to {MAX_FLOW_LIMIT}");
        return Err(Problem::invalid_field("limit", expected));
    }
    let after = match &query.cursor {
        Some(cursor) => Cursor::decode::<i64>(cursor)?,
        None => 0,
    };
    if id.len() > MAX_ID_BYTES {
        return Err(not_found());
    }
    let found = api
        .log
        .store()
        .read(move |tx| {
            let viewer = Viewer::new(&identity);
            let Some(flow) = flows::find(tx, &id)? else {
                return Ok(None);
            };
            let stretch = flows::read(tx, flow, after, limit.into(), &viewer)?;
            Ok(stretch.map(|stretch| (flow, stretch)))
        })
        .await?;
    let Some((id, stretch)) = found else {
        return Err(not_found());
    };
    let next_cursor = stretch.next_after.map(|after| Cursor::encode(&after));
    let flow = Flow {
        id,
        steps: stretch.steps,
        waiting_for: stretch.waiting_for,
        next_cursor: next_cursor.clone(),
    };
    Ok(page::with_link(
        Json(flow).into_response(),
        next_cursor.as_deref(),
        &uri,
    ))
}

fn not_found() -> Problem {
    Problem::new(ProblemType::NotFound).detail(
        "there is no such flow for you: a message that nobody keeps any more has none, and an event shows \
         here a moment after it happened",
    )
}
