//! What the gateway asks. Nobody else is answered, and the public document does not list it.

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use pasar_chassis::{
    extract::{Json, Path},
    problem::Problem,
};
use pasar_contracts::{
    api::users::{SessionStatus, VerifiedApiKey, VerifyCredentials},
    problem::ProblemType,
};
use pasar_types::id::SessionId;

use super::{Shared, caller::Service};
use crate::queries;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/internal/v1/credentials/verify", post(verify_credentials))
        .route("/internal/v1/sessions/{id}", get(get_session))
}

/// 401 unless the key is valid.
async fn verify_credentials(
    State(api): State<Shared>,
    service: Service,
    Json(input): Json<VerifyCredentials>,
) -> Result<Json<VerifiedApiKey>, Problem> {
    let verified = api
        .authentication
        .verify_api_key(&input.api_key, service.asking.cause)
        .await?;
    verified.map(Json).ok_or_else(Problem::unauthenticated)
}

async fn get_session(
    State(api): State<Shared>,
    _: Service,
    Path(id): Path<SessionId>,
) -> Result<Json<SessionStatus>, Problem> {
    let now = api.store.clock().now();
    let status = api
        .store
        .read(move |tx| queries::session_status(tx, id, now))
        .await?;
    status
        .map(Json)
        .ok_or_else(|| Problem::new(ProblemType::NotFound))
}
