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

use super::{Api, Shared, caller::Service};
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
    api.verified(&input.api_key, service).await.map(Json)
}

async fn get_session(
    State(api): State<Shared>,
    _: Service,
    Path(id): Path<SessionId>,
) -> Result<Json<SessionStatus>, Problem> {
    api.session(id).await.map(Json)
}

impl Api {
    pub(super) async fn verified(
        &self,
        api_key: &str,
        service: Service,
    ) -> Result<VerifiedApiKey, Problem> {
        let verified = self
            .authentication
            .verify_api_key(api_key, service.asking.cause)
            .await?;
        verified.ok_or_else(Problem::unauthenticated)
    }

    pub(super) async fn session(&self, id: SessionId) -> Result<SessionStatus, Problem> {
        let now = self.store.clock().now();
        let status = self
            .store
            .read(move |tx| queries::session_status(tx, id, now))
            .await?;
        status.ok_or_else(|| Problem::new(ProblemType::NotFound))
    }
}
