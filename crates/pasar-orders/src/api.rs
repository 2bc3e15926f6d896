//! The service over REST and gRPC: decode, call, encode. It decides nothing but who may ask.

mod board;
mod grpc;
mod list;
mod moves;
mod place;
mod read;
mod refunds;
mod shown;
mod stream;
mod watched;

use std::sync::{Arc, OnceLock};

use axum::{Router, extract::FromRequestParts};
use http::request::Parts;
use pasar_chassis::{host::Host, identity::Identity, openapi, problem::Problem};
use pasar_contracts::{api::users::Role, problem::ProblemType};
use pasar_feed::{follow::Follow, follower::Follower, tail::Tail};
use pasar_store::{lane::LaneKey, store::Store};
use pasar_types::id::{LocationId, OrderId};
use utoipa::openapi::{OpenApi, Required};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    config::Config,
    queries::{self, OrderRow},
    tables::{
        catalogue,
        orders::{self, Whereabouts},
    },
    unsettled::Unsettled,
    watch::WatchLinks,
};

/// What every route needs.
pub(crate) struct Api {
    pub(crate) host: Host,
    pub(crate) store: Store,
    pub(crate) config: Config,
    pub(crate) tail: Tail,
    pub(crate) links: WatchLinks,
    pub(crate) unsettled: Unsettled,
    /// Meant by calls that name no location. Unknown until inventory told of it.
    pub(crate) default_location: OnceLock<LocationId>,
    pub(crate) inventory: Arc<dyn Follow>,
    /// How far the copy of the catalogue is.
    pub(crate) catalogue: Follower,
}

/// Asked by staff or an admin. Judged before the body is read.
struct StaffOnly;

/// Asked by somebody with an account, who is told only of orders that are theirs to see.
struct Viewer(Identity);

/// All routes with their document.
pub(crate) fn routes(api: Arc<Api>) -> (Router, OpenApi) {
    let base = openapi::base(
        "orders",
        "Orders: placed, watched, made, called and collected.",
    );
    let calls = grpc::routes(&api);
    let (rest, mut document) = OpenApiRouter::with_openapi(base)
        .merge(place::routes())
        .merge(list::routes())
        .merge(read::routes())
        .merge(moves::routes())
        .merge(refunds::routes())
        .merge(watched::routes())
        .merge(board::routes())
        .with_state(api)
        .split_for_parts();
    // All of its fields are, and so is the body: an empty one is read as `{}`.
    if let Some(cancel) = document.paths.paths.get_mut("/v1/orders/{id}/cancel")
        && let Some(post) = &mut cancel.post
        && let Some(body) = &mut post.request_body
    {
        body.required = Some(Required::False);
    }
    (rest.merge(calls), document)
}

impl Api {
    /// The location that a call means; `None` if it names none and inventory has not told of one yet.
    async fn location(&self, named: Option<LocationId>) -> Result<Option<LocationId>, Problem> {
        if let Some(known) = named.or_else(|| self.default_location.get().copied()) {
            return Ok(Some(known));
        }
        let found = self.store.read(catalogue::default_location).await?;
        Ok(found.map(|found| *self.default_location.get_or_init(|| found)))
    }

    /// Where an order stands, for who may see it.
    async fn whereabouts(&self, viewer: &Viewer, id: OrderId) -> Result<Whereabouts, Problem> {
        self.store
            .read(move |tx| orders::whereabouts(tx, id))
            .await?
            .filter(|order| viewer.sees(order))
            .ok_or_else(not_found)
    }

    /// An order that must exist.
    async fn order(&self, id: OrderId) -> Result<OrderRow, Problem> {
        self.store
            .read(move |tx| queries::find(tx, id))
            .await?
            .ok_or_else(not_found)
    }
}

impl Viewer {
    fn is_staff(&self) -> bool {
        self.0.require(&STAFF).is_ok()
    }

    fn sees(&self, order: &Whereabouts) -> bool {
        self.is_staff() || (order.customer.is_some() && order.customer == self.0.user_id())
    }
}

const STAFF: [Role; 2] = [Role::Staff, Role::Admin];

fn not_found() -> Problem {
    Problem::new(ProblemType::NotFound)
}

fn lane(location: LocationId) -> LaneKey {
    LaneKey::of(location.as_bytes())
}

impl<S: Sync> FromRequestParts<S> for StaffOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        identity(parts).require(&STAFF).map(|()| Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let viewer = Self(identity(parts));
        if !viewer.is_staff() {
            viewer.0.require_user()?;
        }
        Ok(viewer)
    }
}

fn identity(parts: &Parts) -> Identity {
    parts
        .extensions
        .get::<Identity>()
        .cloned()
        .unwrap_or_else(Identity::anonymous)
}
