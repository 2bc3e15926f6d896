//! What a service is to the process that runs it: something that starts, or says why it cannot.

use std::sync::Arc;

use axum::Router;
use pasar_contracts::event::Service;
use pasar_feed::follow::{Feeds, Follow};
use pasar_store::{fault::Fault, store::OpenError};
use utoipa::openapi::OpenApi;

use crate::{config::ConfigError, keyring::KeyringError};

/// A service that has started.
pub struct Running {
    /// Its routes, as full public paths.
    pub router: Router,
    pub openapi: OpenApi,
    /// gRPC services that it offers (`pasar.relay.v1.Relay`): their methods are paths below `/` and the name.
    pub grpc: &'static [&'static str],
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
    /// The process runs a set of services that is not closed.
    #[error("{follower} follows {publisher}, which does not run in this process")]
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
