//! The service over HTTP: decode, call, encode. It decides nothing but who may ask.

mod bulk;
mod flows;
mod log;
mod messages;
mod sender;
mod streams;

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
    #[expect(dead_code, reason = "routes of subscriptions are to come")]
    pub(crate) vault: Vault,
    #[expect(dead_code, reason = "routes of subscriptions are to come")]
    pub(crate) deliveries: Deliveries,
}

/// All routes with their document.
pub(crate) fn routes(api: Arc<Api>) -> (Router, OpenApi) {
    let base = openapi::base("relay", "Messages, subscriptions and live streams.");
    OpenApiRouter::with_openapi(base)
        .merge(flows::routes())
        .merge(messages::routes())
        .merge(streams::routes())
        .merge(log::routes())
        .with_state(api)
        .split_for_parts()
}

impl Api {
    /// The most bytes of data that a message may have.
    fn data_bytes(&self) -> usize {
        usize::try_from(self.config.message_bytes).unwrap_or(usize::MAX)
    }
}
