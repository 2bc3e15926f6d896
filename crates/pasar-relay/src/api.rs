//! The service over HTTP: decode, call, encode. It decides nothing but who may ask.

mod actions;
mod bulk;
mod dead_letters;
mod document;
mod flows;
mod grpc;
mod log;
mod messages;
mod sender;
mod streams;
mod subscriber;
mod subscriptions;
mod ws;

use std::sync::Arc;

use axum::Router;
use pasar_chassis::{host::Host, openapi};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{config::Config, delivery::Deliveries, live::Live, log::Log, vault::Vault};

/// What every route needs.
pub(crate) struct Api {
    pub(crate) host: Host,
    pub(crate) config: Config,
    pub(crate) log: Log,
    pub(crate) live: Live,
    pub(crate) vault: Vault,
    pub(crate) deliveries: Deliveries,
}

/// All routes with their document.
pub(crate) fn routes(api: Arc<Api>) -> (Router, OpenApi) {
    let base = openapi::base("relay", "Messages, subscriptions and live streams.");
    let (router, document) = OpenApiRouter::with_openapi(base)
        .merge(flows::routes())
        .merge(messages::routes())
        .merge(streams::routes())
        .merge(log::routes())
        .merge(subscriptions::routes())
        .merge(actions::routes())
        .merge(dead_letters::routes())
        .merge(ws::routes())
        .with_state(Arc::clone(&api))
        .split_for_parts();
    let calls = grpc::routes(api, router.clone());
    (router.merge(calls), document::with_destinations(document))
}

impl Api {
    /// The most bytes of data that a message may have.
    fn data_bytes(&self) -> usize {
        usize::try_from(self.config.message_bytes).unwrap_or(usize::MAX)
    }
}
