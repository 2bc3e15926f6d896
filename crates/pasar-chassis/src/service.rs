//! What a service is to the process that runs it: something that starts, or says why it cannot.

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use pasar_contracts::{
    api::services::{SERVICES, ServiceDescription},
    event::Service,
};
use pasar_feed::follow::{Feeds, Follow};
use pasar_store::{fault::Fault, store::OpenError};
use utoipa::openapi::OpenApi;

use crate::{config::ConfigError, identity::Identity, keyring::KeyringError, problem::Problem};

/// A service that has started.
pub struct Running {
    /// Its routes, as full public paths.
    pub router: Router,
    pub openapi: OpenApi,
    /// gRPC services that it offers (`pasar.relay.v1.Relay`): their methods are paths below `/` and the name.
    pub grpc: &'static [&'static str],
}

impl Running {
    /// What another process has to know to route to it.
    pub fn describe(&self, service: Service) -> Result<ServiceDescription, BootError> {
        let openapi = serde_json::to_value(&self.openapi)
            .map_err(|error| BootError::Invalid(format!("the OpenAPI document: {error}")))?;
        Ok(ServiceDescription {
            service: service.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            grpc: self.grpc.iter().map(|name| (*name).to_owned()).collect(),
            openapi,
        })
    }
}

/// The route where a service describes itself, to services.
pub fn description(service: Service, description: ServiceDescription) -> Router {
    let description = Arc::new(description);
    let answer = async move |identity: Identity| {
        identity.require_service()?;
        Ok::<_, Problem>(Json(ServiceDescription::clone(&description)))
    };
    Router::new().route(&format!("{SERVICES}{service}"), get(answer))
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("failed to open a database")]
    Open(#[from] OpenError),
    #[error("failed to read or write at start")]
    Fault(#[from] Fault),
    #[error("failed to prepare the keys")]
    Keyring(#[from] KeyringError),
    #[error("failed to read the configuration")]
    Config(#[from] ConfigError),
    #[error(
        "{follower} follows {publisher}, which does not run in this process; say where it does: \
         [services.{publisher}] urls = [\"http://..\"]"
    )]
    MissingFeed {
        follower: Service,
        publisher: Service,
    },
    #[error("failed to {what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    /// A value that only the service itself can judge.
    #[error("{0}")]
    Invalid(String),
}

/// The feed that a service cannot run without.
pub fn feed(
    feeds: &Feeds,
    follower: Service,
    publisher: Service,
) -> Result<Arc<dyn Follow>, BootError> {
    feeds
        .get(&publisher)
        .cloned()
        .ok_or(BootError::MissingFeed {
            follower,
            publisher,
        })
}
