//! Giving money back.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::LOCATION};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, Json, Path},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    problem::Problem,
};
use pasar_contracts::{
    api::orders::{Refund, RefundInput},
    problem::ProblemType,
};
use pasar_store::{cause::Cause, lane::Class};
use pasar_types::id::{OrderId, RefundId};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, StaffOnly, lane,
    moves::{forbidden, outcome},
    not_found,
};
use crate::{
    commands::refund_order::{Outcome, RefundOrder, refund_order},
    input,
    tables::orders,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(post_refund))
}

/// Give money back, by amount or by lines
///
/// Payments are asked to; the refund's `state` among the order's `refunds` tells how it went.
#[utoipa::path(
    post, path = "/v1/orders/{id}/refunds", tag = "orders", operation_id = "refundOrder",
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each refund.", example = "refund-1"),
    ),
    request_body = RefundInput,
    responses(
        (status = 201, description = "It was requested.", body = Refund,
            headers(("Location" = String, description = "The order that it is part of."))),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn post_refund(
    State(api): State<Arc<Api>>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(id): Path<OrderId>,
    call: Idempotent<RefundInput>,
) -> Result<Response, Problem> {
    let refund = api.refunded(id, cause, call).await?;
    let place = [(LOCATION, format!("/v1/orders/{id}"))];
    Ok((StatusCode::CREATED, place, Json(refund)).into_response())
}

impl Api {
    /// The refund that was requested.
    pub(super) async fn refunded(
        &self,
        id: OrderId,
        cause: Cause,
        call: Idempotent<RefundInput>,
    ) -> Result<Refund, Problem> {
        let checked =
            input::refund(call.body).map_err(|error| Problem::invalid_fields(vec![error]))?;
        let whereabouts = self
            .store
            .read(move |tx| orders::whereabouts(tx, id))
            .await?;
        let location = whereabouts.ok_or_else(not_found)?.location;
        let command = RefundOrder {
            order: id,
            what: checked.what,
            reason: checked.reason,
            pay_within: self.config.pay_within(),
        };
        let once = self
            .store
            .write(lane(location), Class::New, cause, move |ctx| {
                ctx.once("refund_order", &call.key, call.fingerprint, |ctx| {
                    refund_order(ctx, &command)
                })
            })
            .await?;
        match outcome(once)? {
            Outcome::Requested { refund } => self.requested(id, refund).await,
            Outcome::Forbidden { state, paid } => Err(forbidden(state, paid)),
            Outcome::Exceeds { refundable } => {
                Err(Problem::new(ProblemType::RefundExceedsCaptured).with("refundable", refundable))
            }
            Outcome::NotInOrder { skus } => {
                let skus: Vec<_> = skus.iter().map(ToString::to_string).collect();
                let detail = format!("the order has not so many (left) of {}", skus.join(", "));
                Err(Problem::invalid_field("lines", detail))
            }
            Outcome::Unknown => Err(not_found()),
        }
    }

    async fn requested(&self, order: OrderId, refund: RefundId) -> Result<Refund, Problem> {
        let row = self.order(order).await?;
        row.refunds
            .into_iter()
            .find(|known| known.id == refund)
            .ok_or_else(|| Problem::defect("a refund that was requested is not there"))
    }
}
