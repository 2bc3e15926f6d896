//! Stock: staff receives, counts and reads it.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, Uri};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, Json, Path, Query},
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        inventory::{
            AdjustmentInput, IntakeInput, LocationQuery, Movement, MovementsQuery, StockLevel,
        },
        page::{Page, PageQuery},
    },
    problem::ProblemType,
};
use pasar_store::{
    cause::Cause,
    idempotency::Once,
    lane::{Class, LaneKey},
};
use pasar_types::{id::LocationId, sku::Sku};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, StaffOnly};
use crate::{
    commands::{
        adjust_stock::{self, AdjustStock, adjust_stock},
        receive_stock::{self, ReceiveStock, receive_stock},
    },
    field, queries,
    stock::{Adjustment, MAX_ON_HAND},
};

/// Characters of a note or reason.
const MAX_REASON: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(get_stock))
        .routes(routes!(list_movements))
        .routes(routes!(post_intake))
        .routes(routes!(post_adjustment))
}

/// How much there is of a product
#[utoipa::path(
    get, path = "/v1/stock/{sku}", tag = "inventory", operation_id = "getStock",
    params(("sku" = Sku, Path, description = "The product."), LocationQuery),
    responses(
        (status = 200, description = "The level at the location.", body = StockLevel),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn get_stock(
    State(api): State<Api>,
    _: StaffOnly,
    Path(sku): Path<Sku>,
    Query(query): Query<LocationQuery>,
) -> Result<Json<StockLevel>, Problem> {
    api.stock_level(&sku, query.location).await.map(Json)
}

/// What came and went of a product, the latest first
#[utoipa::path(
    get, path = "/v1/stock/{sku}/movements", tag = "inventory", operation_id = "listMovements",
    params(("sku" = Sku, Path, description = "The product."), MovementsQuery),
    responses(
        (status = 200, description = "A page of the ledger.", body = Page<Movement>,
            headers(("Link" = String, description = "The next page, if there is one."))),
        CommonProblems, NotFoundProblem,
    ),
)]
async fn list_movements(
    State(api): State<Api>,
    _: StaffOnly,
    Path(sku): Path<Sku>,
    Query(query): Query<MovementsQuery>,
    uri: Uri,
) -> Result<Response, Problem> {
    let paging = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let limit = page::limit(&paging)?;
    let below = page::after(&paging)?.unwrap_or(i64::MAX);
    let location = api.location(query.location).await?;
    let rows = api
        .find(move |tx| queries::stock_movements(tx, &sku, location, below, limit + 1))
        .await?;
    let page = page::cut(rows, limit, |movement| movement.number);
    Ok(page::respond(page, &uri))
}

/// Receive goods
#[utoipa::path(
    post, path = "/v1/stock/{sku}/intakes", tag = "inventory", operation_id = "receiveStock",
    params(
        ("sku" = Sku, Path, description = "The product."),
        ("Idempotency-Key" = String, Header, description = "New for each intake.", example = "intake-1"),
    ),
    request_body = IntakeInput,
    responses(
        (status = 201, description = "What was entered in the ledger.", body = Movement),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn post_intake(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(sku): Path<Sku>,
    call: Idempotent<IntakeInput>,
) -> Result<Response, Problem> {
    api.received(sku, cause, call).await.map(created)
}

/// Count stock, or write it off
///
/// What is left is never less than what orders hold: such an adjustment is refused and names them.
#[utoipa::path(
    post, path = "/v1/stock/{sku}/adjustments", tag = "inventory", operation_id = "adjustStock",
    params(
        ("sku" = Sku, Path, description = "The product."),
        ("Idempotency-Key" = String, Header, description = "New for each adjustment.", example = "count-1"),
    ),
    request_body = AdjustmentInput,
    responses(
        (status = 201, description = "What was entered in the ledger.", body = Movement),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
async fn post_adjustment(
    State(api): State<Api>,
    _: StaffOnly,
    RequestCause(cause): RequestCause,
    Path(sku): Path<Sku>,
    call: Idempotent<AdjustmentInput>,
) -> Result<Response, Problem> {
    api.adjusted(sku, cause, call).await.map(created)
}

impl Api {
    pub(super) async fn stock_level(
        &self,
        sku: &Sku,
        location: Option<LocationId>,
    ) -> Result<StockLevel, Problem> {
        let location = self.location(location).await?;
        let sku = sku.clone();
        self.find(move |tx| queries::stock_level(tx, &sku, location))
            .await
    }

    /// What was entered in the ledger for goods that came in.
    pub(super) async fn received(
        &self,
        sku: Sku,
        cause: Cause,
        call: Idempotent<IntakeInput>,
    ) -> Result<Movement, Problem> {
        let note = field::optional_text("note", call.body.note.as_deref(), MAX_REASON)
            .map_err(|error| Problem::invalid_fields(vec![error]))?;
        let location = call.body.location.unwrap_or(self.default_location);
        let command = ReceiveStock {
            location,
            sku,
            quantity: call.body.quantity,
            note,
        };
        let once = self
            .store
            .write(lane(location), Class::New, cause, move |ctx| {
                ctx.once("receive_stock", &call.key, call.fingerprint, |ctx| {
                    receive_stock(ctx, &command)
                })
            })
            .await?;
        match outcome(once)? {
            receive_stock::Outcome::Received(movement) => Ok(movement),
            receive_stock::Outcome::UnknownProduct => Err(Problem::new(ProblemType::NotFound)),
            receive_stock::Outcome::UnknownLocation => Err(unknown_location()),
            receive_stock::Outcome::NotCounted => Err(Problem::new(ProblemType::NotCounted)),
            receive_stock::Outcome::TooMuch => {
                let detail = format!("at most {MAX_ON_HAND} units may be on hand");
                Err(Problem::invalid_field("quantity", detail))
            }
        }
    }

    /// What was entered in the ledger for a count or a loss.
    pub(super) async fn adjusted(
        &self,
        sku: Sku,
        cause: Cause,
        call: Idempotent<AdjustmentInput>,
    ) -> Result<Movement, Problem> {
        let (adjustment, reason, location) = asked(call.body)?;
        let location = location.unwrap_or(self.default_location);
        let command = AdjustStock {
            location,
            sku,
            adjustment,
            reason,
        };
        let once = self
            .store
            .write(lane(location), Class::New, cause, move |ctx| {
                ctx.once("adjust_stock", &call.key, call.fingerprint, |ctx| {
                    adjust_stock(ctx, &command)
                })
            })
            .await?;
        match outcome(once)? {
            adjust_stock::Outcome::Adjusted(movement) => Ok(movement),
            adjust_stock::Outcome::UnknownProduct => Err(Problem::new(ProblemType::NotFound)),
            adjust_stock::Outcome::UnknownLocation => Err(unknown_location()),
            adjust_stock::Outcome::NotCounted => Err(Problem::new(ProblemType::NotCounted)),
            adjust_stock::Outcome::BelowReserved {
                on_hand,
                reserved,
                orders,
            } => Err(Problem::new(ProblemType::CountBelowReserved)
                .detail(format!(
                    "{on_hand} are on hand and orders hold {reserved} of them"
                ))
                .with("on_hand", on_hand)
                .with("reserved", reserved)
                .with("orders", orders)),
        }
    }
}

/// What is to be entered, why and where, if all of it is acceptable.
fn asked(input: AdjustmentInput) -> Result<(Adjustment, String, Option<LocationId>), Problem> {
    let (adjustment, reason, location) = match input {
        AdjustmentInput::Count {
            on_hand,
            reason,
            location,
        } => (Adjustment::counted(on_hand), reason, location),
        AdjustmentInput::WriteOff {
            quantity,
            reason,
            location,
        } => (Ok(Adjustment::WriteOff(quantity)), reason, location),
    };
    match (adjustment, field::text("reason", &reason, MAX_REASON)) {
        (Ok(adjustment), Ok(reason)) => Ok((adjustment, reason, location)),
        (adjustment, reason) => {
            let wrong = [adjustment.err(), reason.err()];
            let wrong = wrong.into_iter().flatten().collect();
            Err(Problem::invalid_fields(wrong))
        }
    }
}

fn lane(location: LocationId) -> LaneKey {
    LaneKey::of(location.as_bytes())
}

fn outcome<T>(once: Once<T>) -> Result<T, Problem> {
    match once {
        Once::Fresh(outcome) | Once::Repeated(outcome) => Ok(outcome),
        Once::KeyReused => Err(Problem::new(ProblemType::IdempotencyKeyReused)),
    }
}

fn created(movement: Movement) -> Response {
    (StatusCode::CREATED, Json(movement)).into_response()
}

fn unknown_location() -> Problem {
    Problem::invalid_field("location", "there is no such location")
}
