//! Moving an order on, or cancelling it.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::HeaderMap;
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, IfMatch, Path, idempotency_key},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem, PreconditionProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::orders::{CancelInput, Order, OrderState},
    problem::ProblemType,
};
use pasar_store::{
    cause::Cause,
    idempotency::{Fingerprint, IdempotencyKey, Once},
    lane::Class,
};
use pasar_types::id::OrderId;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, StaffOnly, Viewer, lane, not_found, shown};
use crate::{
    commands::{
        Moved,
        cancel_order::{CancelOrder, cancel_order},
        move_order::{MoveOrder, Step, move_order},
    },
    queries::OrderRow,
    tables::orders,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(start_order))
        .routes(routes!(mark_order_ready))
        .routes(routes!(collect_order))
        .routes(routes!(post_cancel))
}

/// The kitchen begins
///
/// Unpaid orders only where the location says so.
#[utoipa::path(
    post, path = "/v1/orders/{id}/start", tag = "orders", operation_id = "startOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat answer like the first call.", example = "start-1"),
        ("If-Match" = Option<String>, Header, description = "The version to move.", example = "\"v5\""),
    ),
    responses(
        (status = 200, description = "The order is being prepared.", body = Order,
            headers(("ETag" = String, description = "Its version."))),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn start_order(
    State(api): State<Arc<Api>>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(id): Path<OrderId>,
    if_match: IfMatch,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = optional_key(&headers)?;
    let row = api.step(id, Step::Start, cause, if_match, key).await?;
    Ok(shown::answer(row, &api.links))
}

/// It waits to be collected
#[utoipa::path(
    post, path = "/v1/orders/{id}/ready", tag = "orders", operation_id = "markOrderReady",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat answer like the first call.", example = "ready-1"),
        ("If-Match" = Option<String>, Header, description = "The version to move.", example = "\"v6\""),
    ),
    responses(
        (status = 200, description = "The order is ready.", body = Order,
            headers(("ETag" = String, description = "Its version."))),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn mark_order_ready(
    State(api): State<Arc<Api>>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(id): Path<OrderId>,
    if_match: IfMatch,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = optional_key(&headers)?;
    let row = api.step(id, Step::Ready, cause, if_match, key).await?;
    Ok(shown::answer(row, &api.links))
}

/// It was handed over
///
/// Only paid orders are.
#[utoipa::path(
    post, path = "/v1/orders/{id}/collect", tag = "orders", operation_id = "collectOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat answer like the first call.", example = "collect-1"),
        ("If-Match" = Option<String>, Header, description = "The version to move.", example = "\"v7\""),
    ),
    responses(
        (status = 200, description = "The order is collected.", body = Order,
            headers(("ETag" = String, description = "Its version."))),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn collect_order(
    State(api): State<Arc<Api>>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(id): Path<OrderId>,
    if_match: IfMatch,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = optional_key(&headers)?;
    let row = api.step(id, Step::Collect, cause, if_match, key).await?;
    Ok(shown::answer(row, &api.links))
}

/// Cancel an order
///
/// What it holds is given back: it is `cancelling` until stock and money have answered. Its owner may
/// cancel until the kitchen starts, unless it was paid in cash; staff until it is collected, and thereby
/// states that cash was handed back.
#[utoipa::path(
    post, path = "/v1/orders/{id}/cancel", tag = "orders", operation_id = "cancelOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each intention.", example = "cancel-1"),
        ("If-Match" = Option<String>, Header, description = "The version to cancel.", example = "\"v5\""),
    ),
    request_body = CancelInput,
    responses(
        (status = 200, description = "It is being cancelled, or is so already.", body = Order,
            headers(("ETag" = String, description = "Its version."))),
        CommonProblems, NotFoundProblem, ConflictProblem, PreconditionProblem,
    ),
)]
async fn post_cancel(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    RequestCause(cause): RequestCause,
    Path(id): Path<OrderId>,
    if_match: IfMatch,
    call: Idempotent<CancelInput>,
) -> Result<Response, Problem> {
    let row = api.cancelled(&viewer, id, cause, if_match, call).await?;
    Ok(shown::answer(row, &api.links))
}

impl Api {
    /// An order that is cancelled, or is so already.
    pub(super) async fn cancelled(
        &self,
        viewer: &Viewer,
        id: OrderId,
        cause: Cause,
        if_match: IfMatch,
        call: Idempotent<CancelInput>,
    ) -> Result<OrderRow, Problem> {
        let whereabouts = self.whereabouts(viewer, id).await?;
        let command = CancelOrder {
            order: id,
            by_staff: viewer.is_staff(),
            restock: call.body.restock,
            if_match,
            pay_within: self.config.pay_within(),
        };
        let once = self
            .store
            .write(lane(whereabouts.location), Class::New, cause, move |ctx| {
                ctx.once("cancel_order", &call.key, call.fingerprint, |ctx| {
                    cancel_order(ctx, &command)
                })
            })
            .await?;
        self.moved(id, outcome(once)?).await
    }

    /// An order that staff moved.
    pub(super) async fn step(
        &self,
        id: OrderId,
        step: Step,
        cause: Cause,
        if_match: IfMatch,
        key: Option<IdempotencyKey>,
    ) -> Result<OrderRow, Problem> {
        let whereabouts = self
            .store
            .read(move |tx| orders::whereabouts(tx, id))
            .await?;
        let location = whereabouts.ok_or_else(not_found)?.location;
        let command = MoveOrder {
            order: id,
            step,
            if_match,
            pay_within: self.config.pay_within(),
        };
        let fingerprint = Fingerprint::of(&[step.command().as_bytes(), id.as_bytes()]);
        let once = self
            .store
            .write(lane(location), Class::New, cause, move |ctx| match &key {
                None => move_order(ctx, &command).map(Once::Fresh),
                Some(key) => ctx.once(step.command(), key, fingerprint, |ctx| {
                    move_order(ctx, &command)
                }),
            })
            .await?;
        self.moved(id, outcome(once)?).await
    }

    async fn moved(&self, id: OrderId, moved: Moved) -> Result<OrderRow, Problem> {
        match moved {
            Moved::Done => self.order(id).await,
            Moved::Forbidden { state, paid } => Err(forbidden(state, paid)),
            Moved::Changed { .. } => Err(Problem::new(ProblemType::PreconditionFailed)),
            Moved::Unknown => Err(not_found()),
        }
    }
}

/// The outcome of a command, whether it ran now or before.
pub(super) fn outcome<T>(once: Once<T>) -> Result<T, Problem> {
    match once {
        Once::Fresh(outcome) | Once::Repeated(outcome) => Ok(outcome),
        Once::KeyReused => Err(Problem::new(ProblemType::IdempotencyKeyReused)),
    }
}

pub(super) fn forbidden(state: OrderState, paid: bool) -> Problem {
    let paid = if paid { "paid" } else { "not paid" };
    Problem::new(ProblemType::StateForbids)
        .detail(format!("the order is {state} and {paid}"))
        .with("state", state)
}

/// A move may be repeated without a key, too: the order's state tells.
pub(super) fn optional_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    match idempotency_key(headers) {
        Ok(key) => Ok(Some(key)),
        Err(problem) if problem.kind() == ProblemType::IdempotencyKeyMissing => Ok(None),
        Err(problem) => Err(problem),
    }
}
