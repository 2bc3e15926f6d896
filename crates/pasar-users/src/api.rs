//! The service over REST and gRPC: decode, call, encode. It decides nothing but who may ask.

mod api_keys;
mod audit;
mod auth;
mod caller;
mod grpc;
mod internal;
mod jwks;
mod me;
mod sessions;
mod users;

use std::sync::Arc;

use axum::Router;
use http::{HeaderName, header::CACHE_CONTROL};
use pasar_chassis::{
    host::Host,
    openapi,
    problem::{Chain, FieldError, Problem},
};
use pasar_contracts::problem::ProblemType;
use pasar_store::{
    cause::Cause,
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::Store,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    account::InvalidAccount,
    authentication::{Authentication, Refusal},
};

/// What every route needs.
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) authentication: Authentication,
}

type Shared = Arc<Api>;

/// On answers with a secret in them.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// All routes; the document leaves out the internal ones.
pub(crate) fn routes(host: &Host, api: Api) -> (Router, OpenApi) {
    let base = openapi::base("users", "Accounts, sessions, tokens and API keys.");
    let (public, document) = OpenApiRouter::with_openapi(base)
        .merge(auth::routes())
        .merge(me::routes())
        .merge(users::routes())
        .merge(sessions::routes())
        .merge(api_keys::routes())
        .merge(audit::routes())
        .merge(jwks::routes())
        .split_for_parts();
    let api = Arc::new(api);
    let calls = grpc::routes(host, Arc::clone(&api));
    let rest = public.merge(internal::routes()).with_state(api);
    (rest.merge(calls), document)
}

impl Api {
    async fn write<T: Send + 'static>(
        &self,
        cause: Cause,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.store
            .write(LaneKey::ZERO, Class::New, cause, command)
            .await
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WrongCredentials => Self::new(ProblemType::InvalidCredentials),
            Refusal::InvalidToken => Self::unauthenticated()
                .detail("the refresh token is not valid (any more); log in again"),
            Refusal::ReusedToken => Self::unauthenticated().detail(
                "the refresh token was used before, so its session has ended; log in again",
            ),
            Refusal::NoPassword => {
                Self::new(ProblemType::Forbidden).detail("a machine's account has no password")
            }
            Refusal::Throttled(wait) => Self::new(ProblemType::TooManyRequests).retry_after(wait),
            Refusal::Busy(wait) => Self::new(ProblemType::Overloaded).retry_after(wait),
            Refusal::Sign(error) => Self::from(Fault::Bug(Chain(&error).to_string())),
            Refusal::Fault(fault) => fault.into(),
        }
    }
}

/// Reads fields and collects what is wrong with them, so that one answer names it all.
#[derive(Default)]
struct Fields(Vec<FieldError>);

impl Fields {
    fn read<T, E: std::fmt::Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value
            .map_err(|error| {
                self.0.push(FieldError {
                    field: field.to_owned(),
                    detail: error.to_string(),
                });
            })
            .ok()
    }

    fn into_problem(self) -> Problem {
        Problem::invalid_fields(self.0)
    }
}

fn invalid(field: &'static str) -> impl FnOnce(InvalidAccount) -> Problem {
    move |error| Problem::invalid_field(field, error.to_string())
}
