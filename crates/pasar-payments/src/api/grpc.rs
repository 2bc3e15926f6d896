//! `pasar.payments.v1.Payments`: what REST does, over gRPC.

use axum::http::{Method, request::Parts};
use axum::{Router, extract::FromRequestParts, extract::State, routing::post};
use pasar_chassis::{
    cause::RequestCause,
    extract::{Idempotent, Key},
    grpc::method::{Message, Reply, methods},
    host::Host,
    identity::Identity,
    problem::Problem,
};
use pasar_contracts::{
    api::payments::PaymentQuery,
    grpc::{
        parsed,
        payments::{
            BalancesReply, BalancesRequest, CaptureCashRequest, GetPaymentRequest,
            ListPaymentsReply, ListPaymentsRequest, PaymentDetail,
        },
    },
};
use pasar_types::id::PaymentId;

use super::{
    Api,
    http::{Nothing, STAFF, balances, captured, listed, read},
};

/// Asked by staff or an admin. Judged before the message is read.
struct StaffOnly;

pub(super) fn routes(host: &Host, api: Api) -> Router {
    let routes = Router::new()
        .route(
            "/pasar.payments.v1.Payments/ListPayments",
            post(list_payments),
        )
        .route("/pasar.payments.v1.Payments/GetPayment", post(get_payment))
        .route(
            "/pasar.payments.v1.Payments/CaptureCash",
            post(capture_cash),
        )
        .route("/pasar.payments.v1.Payments/Balances", post(list_balances))
        .with_state(api);
    methods(host, routes)
}

async fn list_payments(
    State(api): State<Api>,
    _: StaffOnly,
    Message(request): Message<ListPaymentsRequest>,
) -> Result<Reply<ListPaymentsReply>, Problem> {
    let query = PaymentQuery::try_from(request)?;
    Ok(Reply(listed(&api, &query).await?.into()))
}

async fn get_payment(
    State(api): State<Api>,
    _: StaffOnly,
    Message(request): Message<GetPaymentRequest>,
) -> Result<Reply<PaymentDetail>, Problem> {
    let id = parsed("id", &request.id)?;
    Ok(Reply(read(&api, id).await?.into()))
}

async fn capture_cash(
    State(api): State<Api>,
    _: StaffOnly,
    cause: RequestCause,
    key: Key,
    Message(request): Message<CaptureCashRequest>,
) -> Result<Reply<PaymentDetail>, Problem> {
    let id: PaymentId = parsed("id", &request.id)?;
    let target = format!("/v1/payments/{id}/capture");
    let call = Idempotent::new(&Method::POST, &target, Nothing {}, key)?;
    Ok(Reply(captured(&api, id, cause, call).await?.into()))
}

async fn list_balances(
    State(api): State<Api>,
    _: StaffOnly,
    Message(BalancesRequest {}): Message<BalancesRequest>,
) -> Result<Reply<BalancesReply>, Problem> {
    Ok(Reply(balances(&api).await?.into()))
}

impl<S: Sync> FromRequestParts<S> for StaffOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(identity) = Identity::from_request_parts(parts, state).await;
        identity.require(STAFF).map(|()| Self)
    }
}
