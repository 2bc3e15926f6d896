//! The sandbox as a process of its own: it serves the protocol of the `http` provider over its books,
//! so that a crash of Pasar does not touch what it counts.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use pasar_chassis::{
    problem::{Chain, Problem},
    signature::{self, Secret},
};
use pasar_contracts::{
    api::payments::{ActionQuery, ProviderNotice, ProviderRequest, SandboxAction},
    event::Service,
    problem::ProblemType,
};
use pasar_store::cause::{Actor, Cause};
use pasar_types::id::{FlowId, PaymentId};
use serde::Deserialize;

use super::{Sandbox, books::Acted, page};

/// Lines of an audit that are read at once.
const AUDIT_PAGE: usize = 1_000;
const MAX_REQUEST_BYTES: usize = 64 * 1024;
const NOTICE_TIMEOUT: Duration = Duration::from_secs(5);

/// Who may ask the sandbox, and whom it tells.
#[derive(Clone)]
pub struct SandboxAccess {
    /// Shared with the `http` provider that is configured for it.
    pub secret: Secret,
    /// Where Pasar takes this provider's notices; none are sent without it.
    pub notify_url: Option<String>,
}

#[derive(Clone)]
struct Server {
    sandbox: Sandbox,
    access: Arc<SandboxAccess>,
    client: reqwest::Client,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    after: Option<PaymentId>,
}

/// `POST /` is the provider, `/v1/sandbox/actions/{id}` its customer's page, and
/// `GET /v1/sandbox/books?after=` its books, unauthenticated: bind it to a private address.
pub fn sandbox_router(sandbox: Sandbox, access: SandboxAccess) -> Result<Router, reqwest::Error> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(NOTICE_TIMEOUT)
        .build()?;
    Ok(Router::new()
        .route("/", post(provide))
        .route(
            "/v1/sandbox/actions/{id}",
            get(show_action).post(end_action),
        )
        .route("/v1/sandbox/books", get(audit))
        .with_state(Server {
            sandbox,
            access: Arc::new(access),
            client,
        }))
}

async fn provide(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match server.provide(&head.headers, &body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn show_action() -> Html<&'static str> {
    Html(page::ACTION)
}

async fn end_action(
    State(server): State<Server>,
    Path(id): Path<String>,
    Query(query): Query<ActionQuery>,
) -> Result<Json<SandboxAction>, Problem> {
    let outcome = query.outcome.unwrap_or_default();
    match server.sandbox.act(&id, outcome, server.cause()).await? {
        Acted::Done { payment_id, answer } => {
            let action = SandboxAction { payment_id, answer };
            server.notify(&action).await;
            Ok(Json(action))
        }
        Acted::TooLate => Err(Problem::new(ProblemType::StateForbids)),
        Acted::NotFound => Err(Problem::new(ProblemType::NotFound)),
    }
}

async fn audit(
    State(server): State<Server>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let entries = server.sandbox.audit(query.after, AUDIT_PAGE).await?;
    Ok(Json(entries).into_response())
}

impl Server {
    async fn provide(&self, headers: &HeaderMap, body: &Bytes) -> Result<Response, Problem> {
        let secrets = std::slice::from_ref(&self.access.secret);
        let now = self.sandbox.store.clock().now();
        signature::verify(secrets, headers, body, now).map_err(|rejected| {
            Problem::new(ProblemType::Unauthenticated).detail(rejected.to_string())
        })?;
        let request: ProviderRequest = serde_json::from_slice(body)
            .map_err(|error| Problem::new(ProblemType::InvalidRequest).detail(error.to_string()))?;
        let reply = self.sandbox.handle(&request, self.cause()).await?;
        if reply.lost {
            // It took effect; whoever asked is left without an answer, as by a broken connection.
            return Ok(StatusCode::GATEWAY_TIMEOUT.into_response());
        }
        Ok(Json(reply.answer).into_response())
    }

    /// Tells Pasar what its customer did. Best effort: Pasar looks it up by itself, too.
    async fn notify(&self, action: &SandboxAction) {
        let Some(url) = &self.access.notify_url else {
            return;
        };
        let notice = ProviderNotice {
            reference: action.payment_id,
            refund_id: None,
            answer: action.answer.clone(),
        };
        if let Err(error) = self.send(url, &notice).await {
            tracing::warn!(error = %Chain(&error), "a sandbox notice was not taken");
        }
    }

    async fn send(&self, url: &str, notice: &ProviderNotice) -> Result<(), reqwest::Error> {
        let body = serde_json::to_vec(notice).expect("a notice holds plain values only");
        let id = format!("action:{}", notice.reference);
        let now = self.sandbox.store.clock().now();
        self.client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .headers(signature::headers(&self.access.secret, &id, now, &body))
            .body(body)
            .send()
            .await?
            .error_for_status()
            .map(|_| ())
            .map_err(reqwest::Error::without_url)
    }

    fn cause(&self) -> Cause {
        let store = &self.sandbox.store;
        let flow = FlowId::from_uuid(store.ids().uuid_v7(store.clock().now()));
        Cause::new(Actor::Service(Service::Payments), flow)
    }
}
