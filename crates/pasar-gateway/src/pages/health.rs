//! Alive, ready, and in numbers. What tells more than "yes" or "no" is for those whom the
//! configuration names.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use pasar_chassis::{identity::Identity, openapi::CommonProblems, problem::Problem};
use pasar_contracts::{api::users::Role, problem::ProblemType};
use serde::Serialize;
use tower::ServiceExt;
use utoipa::ToSchema;

use crate::{config::DetailsFor, forwarding::Origin, pages::Pages};

#[derive(Serialize, ToSchema)]
pub(crate) struct Liveness {
    #[schema(example = "alive")]
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// For those who may see details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Readied>,
}

/// What one part of the process reports.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readied {
    #[schema(example = "orders follows inventory")]
    name: String,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whether the process answers at all.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "getLiveness",
    tag = "gateway",
    responses((status = 200, description = "It does", body = Liveness), CommonProblems)
)]
pub(super) async fn get_liveness() -> Json<Liveness> {
    Json(Liveness { status: "alive" })
}

/// Whether the process takes work.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "gateway",
    responses((status = 200, description = "It does", body = Readiness), CommonProblems)
)]
pub(super) async fn get_readiness(
    State(pages): State<Arc<Pages>>,
    Extension(origin): Extension<Origin>,
    identity: Identity,
    request: Request,
) -> Response {
    if pages.shows_details(origin, &identity) {
        return pages.probe(request).await;
    }
    if pages.host.health.is_ready() {
        Json(Readiness {
            status: "ready",
            checks: Vec::new(),
        })
        .into_response()
    } else {
        Problem::new(ProblemType::Unavailable).into_response()
    }
}

/// The process in numbers, in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "gateway",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        CommonProblems,
    )
)]
pub(super) async fn get_metrics(
    State(pages): State<Arc<Pages>>,
    Extension(origin): Extension<Origin>,
    identity: Identity,
    request: Request,
) -> Response {
    if pages.shows_details(origin, &identity) {
        return pages.probe(request).await;
    }
    match identity.require(&[Role::Admin]) {
        Ok(()) => pages.probe(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Pages {
    fn shows_details(&self, origin: Origin, identity: &Identity) -> bool {
        let is_local = origin.direct && origin.address.is_loopback();
        match self.details_for {
            DetailsFor::Anyone => true,
            DetailsFor::LoopbackOrAdmin => is_local || identity.has(Role::Admin),
            DetailsFor::Admin => identity.has(Role::Admin),
        }
    }

    async fn probe(&self, request: Request) -> Response {
        let Ok(response) = self.probes.clone().oneshot(request).await;
        response
    }
}
