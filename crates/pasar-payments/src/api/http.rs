//! Payments and the ledger, for staff.

use axum::{
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, Json, Path, Query},
    identity::Identity,
    openapi::{CommonProblems, ConflictProblem, NotFoundProblem},
    page,
    problem::Problem,
};
use pasar_contracts::{
    api::{
        page::{Page, PageQuery},
        payments::{Balances, LedgerEntry, Payment, PaymentDetail, PaymentQuery, PaymentState},
        users::Role,
    },
    problem::ProblemType,
};
use pasar_store::{
    context::Context,
    fault::Fault,
    idempotency::Once,
    lane::{Class, LaneKey},
};
use pasar_types::id::PaymentId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Api, TAG};
use crate::{
    commands::{
        capture_cash::{self, CaptureCash, capture_cash},
        hand_back_cash::{self, HandBackCash, hand_back_cash},
    },
    payment::payment_of,
    queries,
};

pub(super) const STAFF: &[Role] = &[Role::Staff, Role::Admin];

/// A body without fields; it may be left out.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Payments, the newest first, or the one of an order.
#[utoipa::path(
    get, path = "/v1/payments", operation_id = "listPayments", tag = TAG,
    params(PaymentQuery),
    responses(
        (status = 200, description = "A page of payments", body = Page<Payment>),
        CommonProblems,
    ),
)]
pub(super) async fn list_payments(
    State(api): State<Api>,
    identity: Identity,
    uri: Uri,
    Query(query): Query<PaymentQuery>,
) -> Result<Response, Problem> {
    identity.require(STAFF)?;
    Ok(page::respond(listed(&api, &query).await?, &uri))
}

/// One payment, with its refunds and what did not go smoothly.
#[utoipa::path(
    get, path = "/v1/payments/{id}", operation_id = "getPayment", tag = TAG,
    params(("id" = PaymentId, Path)),
    responses(
        (status = 200, description = "The payment", body = PaymentDetail),
        CommonProblems, NotFoundProblem,
    ),
)]
pub(super) async fn get_payment(
    State(api): State<Api>,
    identity: Identity,
    Path(id): Path<PaymentId>,
) -> Result<Json<PaymentDetail>, Problem> {
    identity.require(STAFF)?;
    read(&api, id).await.map(Json)
}

/// Cash was taken at the counter.
#[utoipa::path(
    post, path = "/v1/payments/{id}/capture", operation_id = "capturePayment", tag = TAG,
    params(
        ("id" = PaymentId, Path),
        ("Idempotency-Key" = String, Header, description = "New for each new intention", example = "till-1-20261120-17"),
    ),
    responses(
        (status = 200, description = "The payment, captured", body = PaymentDetail),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
pub(super) async fn capture_payment(
    State(api): State<Api>,
    identity: Identity,
    cause: RequestCause,
    Path(payment_id): Path<PaymentId>,
    request: Idempotent<Nothing>,
) -> Result<Json<PaymentDetail>, Problem> {
    identity.require(STAFF)?;
    captured(&api, payment_id, cause, request).await.map(Json)
}

/// A cancelled order's cash was handed back. Only needed when it was paid while it was being
/// cancelled; a cancellation by staff says so itself.
#[utoipa::path(
    post, path = "/v1/payments/{id}/hand-back", operation_id = "handBackPayment", tag = TAG,
    params(
        ("id" = PaymentId, Path),
        ("Idempotency-Key" = String, Header, description = "New for each new intention", example = "till-1-20261120-18"),
    ),
    responses(
        (status = 200, description = "The payment, given back", body = PaymentDetail),
        CommonProblems, NotFoundProblem, ConflictProblem,
    ),
)]
pub(super) async fn hand_back_payment(
    State(api): State<Api>,
    identity: Identity,
    cause: RequestCause,
    Path(payment_id): Path<PaymentId>,
    request: Idempotent<Nothing>,
) -> Result<Json<PaymentDetail>, Problem> {
    identity.require(STAFF)?;
    let command = HandBackCash { payment_id };
    let outcome = once(
        &api,
        payment_id,
        cause,
        request,
        "hand_back_cash",
        move |ctx| hand_back_cash(ctx, command),
    )
    .await?;
    match outcome {
        hand_back_cash::Outcome::HandedBack => read(&api, payment_id).await.map(Json),
        hand_back_cash::Outcome::NotFound => Err(Problem::new(ProblemType::NotFound)),
        hand_back_cash::Outcome::StateForbids(state) => Err(forbidden(
            state,
            "no cash of a cancelled order waits to be handed back",
        )),
    }
}

/// The sum of each account's entries, by currency.
#[utoipa::path(
    get, path = "/v1/ledger/balances", operation_id = "listBalances", tag = TAG,
    responses(
        (status = 200, description = "All accounts", body = Balances),
        CommonProblems,
    ),
)]
pub(super) async fn list_balances(
    State(api): State<Api>,
    identity: Identity,
) -> Result<Json<Balances>, Problem> {
    identity.require(STAFF)?;
    balances(&api).await.map(Json)
}

/// The ledger's entries, the newest first. Those of one transaction stand together.
#[utoipa::path(
    get, path = "/v1/ledger/entries", operation_id = "listLedgerEntries", tag = TAG,
    params(PageQuery),
    responses(
        (status = 200, description = "A page of entries", body = Page<LedgerEntry>),
        CommonProblems,
    ),
)]
pub(super) async fn list_entries(
    State(api): State<Api>,
    identity: Identity,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    identity.require(STAFF)?;
    let limit = page::limit(&query)?;
    let before: Option<i64> = page::after(&query)?;
    let rows = api
        .store
        .read(move |tx| queries::entries(tx, before, limit + 1))
        .await?;
    let page = page::cut(rows, limit, |(sequence, _)| *sequence);
    let page = Page {
        items: page.items.into_iter().map(|(_, entry)| entry).collect(),
        next_cursor: page.next_cursor,
    };
    Ok(page::respond(page, &uri).into_response())
}

pub(super) async fn listed(api: &Api, query: &PaymentQuery) -> Result<Page<Payment>, Problem> {
    let paging = PageQuery {
        limit: query.limit,
        cursor: query.cursor.clone(),
    };
    let limit = page::limit(&paging)?;
    let before: Option<PaymentId> = page::after(&paging)?;
    let order_id = query.order_id;
    let payments =
        api.store
            .read(move |tx| match order_id {
                Some(order) => queries::payment(tx, payment_of(order))
                    .map(|payment| payment.into_iter().collect()),
                None => queries::newest(tx, before, limit + 1),
            })
            .await?;
    Ok(page::cut(payments, limit, |last: &Payment| last.id))
}

pub(super) async fn read(api: &Api, id: PaymentId) -> Result<PaymentDetail, Problem> {
    api.store
        .read(move |tx| queries::detail(tx, id))
        .await?
        .ok_or_else(|| Problem::new(ProblemType::NotFound))
}

pub(super) async fn captured(
    api: &Api,
    payment_id: PaymentId,
    cause: RequestCause,
    request: Idempotent<Nothing>,
) -> Result<PaymentDetail, Problem> {
    let command = CaptureCash { payment_id };
    let outcome = once(
        api,
        payment_id,
        cause,
        request,
        "capture_cash",
        move |ctx| capture_cash(ctx, command),
    )
    .await?;
    match outcome {
        capture_cash::Outcome::Captured => read(api, payment_id).await,
        capture_cash::Outcome::NotFound => Err(Problem::new(ProblemType::NotFound)),
        capture_cash::Outcome::StateForbids(state) => Err(forbidden(
            state,
            "only cash that is due is captured by hand",
        )),
    }
}

pub(super) async fn balances(api: &Api) -> Result<Balances, Problem> {
    let items = api.store.read(queries::balances).await?;
    Ok(Balances { items })
}

/// Runs a command unless it ran before under the request's key.
async fn once<T, F>(
    api: &Api,
    payment: PaymentId,
    RequestCause(cause): RequestCause,
    request: Idempotent<Nothing>,
    name: &'static str,
    command: F,
) -> Result<T, Problem>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
{
    let Idempotent {
        key, fingerprint, ..
    } = request;
    let lane = LaneKey::of(payment.as_bytes());
    let once = api
        .store
        .write(lane, Class::New, cause, move |ctx| {
            ctx.once(name, &key, fingerprint, &command)
        })
        .await?;
    match once {
        Once::Fresh(outcome) | Once::Repeated(outcome) => Ok(outcome),
        Once::KeyReused => Err(Problem::new(ProblemType::IdempotencyKeyReused)),
    }
}

fn forbidden(state: PaymentState, why: &str) -> Problem {
    Problem::new(ProblemType::StateForbids)
        .detail(format!("the payment is {state}: {why}"))
        .with("state", state)
}
