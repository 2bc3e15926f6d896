//! The service over REST and gRPC: decode, call, encode. It decides nothing but who may ask.

mod grpc;
mod import_rows;
mod locations;
mod products;
mod stock;

use axum::{Router, extract::FromRequestParts};
use http::request::Parts;
use pasar_chassis::{host::Host, identity::Identity, openapi, problem::Problem};
use pasar_contracts::{api::users::Role, problem::ProblemType};
use pasar_store::{fault::Fault, store::Store};
use pasar_types::id::LocationId;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::queries;

/// What every route needs.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) store: Store,
    /// Meant by calls that name no location.
    pub(crate) default_location: LocationId,
}

/// Asked by staff or an admin. Judged before the body is read.
struct StaffOnly;

/// Asked by an admin. Judged before the body is read.
struct AdminOnly;

/// All routes with their document.
pub(crate) fn routes(host: &Host, api: Api) -> (Router, OpenApi) {
    let base = openapi::base("inventory", "Products, stock and locations.");
    let calls = grpc::routes(host, api.clone());
    let (rest, document) = OpenApiRouter::with_openapi(base)
        .merge(locations::routes())
        .merge(products::routes())
        .merge(stock::routes())
        .with_state(api)
        .split_for_parts();
    (rest.merge(calls), document)
}

impl Api {
    /// The location that a query means. One that it names must exist.
    async fn location(&self, named: Option<LocationId>) -> Result<LocationId, Problem> {
        let Some(id) = named else {
            return Ok(self.default_location);
        };
        let known = self.store.read(move |tx| queries::location(tx, id)).await?;
        known
            .map(|_| id)
            .ok_or_else(|| Problem::invalid_field("location", "there is no such location"))
    }

    /// A read of something that must exist.
    async fn find<T: Send + 'static>(
        &self,
        query: impl FnOnce(&pasar_store::tx::Tx<'_>) -> Result<Option<T>, Fault> + Send + 'static,
    ) -> Result<T, Problem> {
        let found = self.store.read(query).await?;
        found.ok_or_else(|| Problem::new(ProblemType::NotFound))
    }
}

impl<S: Sync> FromRequestParts<S> for StaffOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        require(parts, &[Role::Staff, Role::Admin]).map(|()| Self)
    }
}

impl<S: Sync> FromRequestParts<S> for AdminOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        require(parts, &[Role::Admin]).map(|()| Self)
    }
}

fn require(parts: &Parts, any_of: &[Role]) -> Result<(), Problem> {
    match parts.extensions.get::<Identity>() {
        Some(identity) => identity.require(any_of),
        None => Err(Problem::unauthenticated()),
    }
}
