//! What providers tell without being asked. Whoever has the secret is the provider: there is no login.

use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::StatusCode,
};
use pasar_chassis::{
    cause::RequestCause,
    extract::Path,
    openapi::{CommonProblems, NotFoundProblem},
    problem::Problem,
    signature,
};
use pasar_contracts::{api::payments::ProviderNotice, problem::ProblemType};
use pasar_store::lane::{Class, LaneKey};

use super::{Api, TAG};
use crate::commands::receive_notice::{ReceiveNotice, receive_notice};

const MAX_NOTICE_BYTES: usize = 64 * 1024;

/// A provider's notice, signed as Standard Webhooks say, on the raw body, within five minutes. Each id
/// counts once; a repeat gets the same answer.
#[utoipa::path(
    post, path = "/v1/payments/webhooks/{provider}", operation_id = "receivePaymentNotice", tag = TAG,
    params(
        ("provider" = String, Path, description = "The configured provider", example = "mine"),
        ("webhook-id" = String, Header, example = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
        ("webhook-timestamp" = String, Header, description = "Seconds since the Unix epoch", example = "1763629800"),
        ("webhook-signature" = String, Header, example = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
    ),
    request_body = ProviderNotice,
    responses(
        (status = 204, description = "It is stored"),
        CommonProblems, NotFoundProblem,
    ),
)]
pub(super) async fn receive_payment_notice(
    State(api): State<Api>,
    cause: RequestCause,
    Path(provider): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let secrets = api
        .methods
        .notice_secrets(&provider)
        .ok_or_else(|| Problem::new(ProblemType::NotFound))?;
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_NOTICE_BYTES)
        .await
        .map_err(|_| Problem::new(ProblemType::PayloadTooLarge))?;
    let now = api.store.clock().now();
    let id = signature::verify(secrets, &head.headers, &body, now).map_err(|rejected| {
        Problem::new(ProblemType::Unauthenticated).detail(rejected.to_string())
    })?;
    let notice: ProviderNotice = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(ProblemType::InvalidRequest).detail(error.to_string()))?;
    let lane = LaneKey::of(notice.reference.as_bytes());
    let command = ReceiveNotice {
        provider,
        id,
        notice,
    };
    api.store
        .write(lane, Class::Internal, cause.0, move |ctx| {
            receive_notice(ctx, command.clone())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
