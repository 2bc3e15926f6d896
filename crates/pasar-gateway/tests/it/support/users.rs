//! What the gateway asks of users, answered from memory and counted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use parking_lot::Mutex;
use pasar_chassis::{identity::Identity, openapi::base, service::Running};
use pasar_contracts::api::users::{
    Jwk, Jwks, Role, SessionStatus, VerifiedApiKey, VerifyCredentials,
};
use pasar_types::id::{SessionId, UserId};
use serde_json::{Value, json};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathItem, PathsBuilder};

pub(crate) struct FakeUsers {
    pub(crate) keys: Mutex<Vec<Jwk>>,
    pub(crate) unavailable: AtomicBool,
    pub(crate) asked_jwks: AtomicUsize,
    pub(crate) asked_keys: AtomicUsize,
    pub(crate) asked_sessions: AtomicUsize,
    pub(crate) logins: AtomicUsize,
    sessions: Mutex<BTreeMap<SessionId, SessionStatus>>,
    api_keys: Mutex<BTreeMap<String, VerifiedApiKey>>,
}

impl FakeUsers {
    pub(crate) fn new(key: Jwk) -> Self {
        Self {
            keys: Mutex::new(vec![key]),
            unavailable: AtomicBool::new(false),
            asked_jwks: AtomicUsize::new(0),
            asked_keys: AtomicUsize::new(0),
            asked_sessions: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            sessions: Mutex::default(),
            api_keys: Mutex::default(),
        }
    }

    pub(crate) fn begin_session(&self, session_id: SessionId, user_id: UserId, roles: &[Role]) {
        let status = SessionStatus {
            session_id,
            user_id,
            live: true,
            roles: roles.to_vec(),
        };
        self.sessions.lock().insert(session_id, status);
    }

    pub(crate) fn end_session(&self, session: SessionId) {
        self.sessions.lock().get_mut(&session).unwrap().live = false;
    }

    pub(crate) fn give_key(&self, secret: &str, key: VerifiedApiKey) {
        self.api_keys.lock().insert(secret.to_owned(), key);
    }

    pub(crate) fn take_key(&self, secret: &str) {
        self.api_keys.lock().remove(secret);
    }

    fn is_unavailable(&self) -> bool {
        self.unavailable.load(SeqCst)
    }
}

type Users = State<Arc<FakeUsers>>;

pub(crate) fn running(users: Arc<FakeUsers>) -> Running {
    let router = Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/internal/v1/credentials/verify", post(verify))
        .route("/internal/v1/sessions/{id}", get(session))
        .route("/v1/auth/login", post(log_in))
        .route("/v1/auth/refresh", post(refresh))
        .route("/v1/auth/logout", post(log_out))
        .with_state(users);
    let paths = [
        "/.well-known/jwks.json",
        "/internal/v1/sessions/{id}",
        "/v1/auth/login",
        "/v1/auth/refresh",
        "/v1/auth/logout",
    ];
    Running {
        router,
        openapi: document("users", &paths),
        grpc: &[],
    }
}

/// A document that lists paths, for routing.
pub(crate) fn document(tag: &str, paths: &[&str]) -> utoipa::openapi::OpenApi {
    let mut openapi = base(tag, "a fake");
    let builder = paths.iter().fold(PathsBuilder::new(), |builder, path| {
        let operation = OperationBuilder::new()
            .operation_id(Some(*path))
            .tag(tag)
            .build();
        builder.path(*path, PathItem::new(HttpMethod::Get, operation))
    });
    openapi.paths = builder.build();
    openapi
}

async fn jwks(State(users): Users) -> Response {
    users.asked_jwks.fetch_add(1, SeqCst);
    if users.is_unavailable() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(Jwks {
        keys: users.keys.lock().clone(),
    })
    .into_response()
}

async fn verify(
    State(users): Users,
    asker: Identity,
    Json(asked): Json<VerifyCredentials>,
) -> Response {
    asker.require_service().unwrap();
    users.asked_keys.fetch_add(1, SeqCst);
    // So that those who come at the same time meet.
    tokio::task::yield_now().await;
    if users.is_unavailable() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match users.api_keys.lock().get(&asked.api_key) {
        Some(key) => Json(key.clone()).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn session(State(users): Users, asker: Identity, Path(id): Path<SessionId>) -> Response {
    asker.require_service().unwrap();
    users.asked_sessions.fetch_add(1, SeqCst);
    if users.is_unavailable() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match users.sessions.lock().get(&id) {
        Some(status) => Json(status.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn tokens(n: usize) -> Json<Value> {
    Json(json!({
        "access_token": format!("access{n}"),
        "refresh_token": format!("pasar_rt_{n}"),
        "token_type": "Bearer",
        "expires_in": 600,
    }))
}

async fn log_in(State(users): Users, Json(body): Json<Value>) -> Response {
    if body["password"] != "right" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    tokens(users.logins.fetch_add(1, SeqCst) + 1).into_response()
}

async fn refresh(Json(body): Json<Value>) -> Response {
    match body["refresh_token"].as_str() {
        Some("pasar_rt_1") => tokens(2).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn log_out(Json(body): Json<Value>) -> StatusCode {
    assert!(body["refresh_token"].is_string());
    StatusCode::NO_CONTENT
}
