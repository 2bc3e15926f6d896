//! The gateway put together: from a configuration and running services to a listening address.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::HeaderValue;
use pasar_chassis::{
    host::Host,
    service::{BootError, Running},
    telemetry::Metrics,
};
use pasar_contracts::event::Service;
use pasar_feed::follow::Feeds;
use pasar_store::{clock::Clock, ids::Ids};
use tokio::net::TcpListener;
use utoipa::openapi::OpenApi;

use crate::{
    access_log::AccessLog,
    authentication::Authenticator,
    config::{Config, Limits, millis},
    cors::Cors,
    forwarding::Proxies,
    meters::EdgeMeters,
    openapi::Document,
    pages,
    rate_limit::RateLimiter,
    request_body::BodyRules,
    routes::Routes,
    server::{Server, tls},
    session_cookie::OwnOrigins,
};

/// The public edge. What it does with a request is in the module `exchange`.
pub struct Gateway {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) limits: Limits,
    pub(crate) body_rules: BodyRules,
    pub(crate) request_timeout: Duration,
    pub(crate) compresses: bool,
    pub(crate) proxies: Proxies,
    pub(crate) cors: Cors,
    pub(crate) own_origins: OwnOrigins,
    /// Browsers are told to come by HTTPS only; sent over HTTPS only.
    pub(crate) transport_security: Option<HeaderValue>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) routes: Routes,
    pub(crate) log: AccessLog,
    pub(crate) meters: EdgeMeters,
}

/// A gateway that serves until its host drains.
pub struct Started {
    /// What it listens on; with port 0 in the configuration, the port it got.
    pub address: SocketAddr,
    /// The document of all operations, as `/openapi.json` begins from it.
    pub openapi: OpenApi,
}

const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Binds the address of the configuration. Separate from [`start`], as services have to know the
/// public URL before they start, and with port 0 that is known only now.
pub async fn bind(config: &Config) -> Result<TcpListener, BootError> {
    TcpListener::bind(config.bind)
        .await
        .map_err(|source| BootError::Io {
            what: format!("listen on {}", config.bind),
            source,
        })
}

/// Puts the gateway in front of the services and begins to serve. The configuration must have been
/// found valid ([`Config::validate`]).
pub async fn start(
    host: &Host,
    config: Config,
    listener: TcpListener,
    metrics: Metrics,
    services: Vec<(Service, Running)>,
    feeds: &Feeds,
) -> Result<Started, BootError> {
    let address = listener.local_addr().map_err(|source| BootError::Io {
        what: "read the address".to_owned(),
        source,
    })?;
    let tls = config
        .tls
        .as_ref()
        .map(|files| tls::acceptor(files, &host.tasks))
        .transpose()?;
    let users = services
        .iter()
        .find(|(service, _)| *service == Service::Users);
    let users = users.map(|(_, running)| running.router.clone());
    let authenticator = Authenticator::start(host, &config, users, feeds).await?;
    let mut document = Document::new(&host.public_url, pages::openapi());
    for (service, running) in &services {
        document.add(*service, &running.openapi)?;
    }
    let grpc: Vec<_> = services
        .iter()
        .flat_map(|(_, running)| running.grpc.iter().copied())
        .collect();
    let pages = pages::router(host, &config, metrics, &document, &grpc)?;
    let mut targets = services;
    targets.push((Service::Gateway, pages));
    let gateway = Arc::new(Gateway::new(
        host,
        &config,
        authenticator,
        Routes::new(targets)?,
    ));
    let server = Server::new(gateway, &config, tls, host.tasks.clone());
    host.tasks.spawn("gateway", server.run(listener));
    tracing::info!(%address, "the gateway listens");
    Ok(Started {
        address,
        openapi: document.into_openapi(),
    })
}

impl Gateway {
    fn new(
        host: &Host,
        config: &Config,
        authenticator: Arc<Authenticator>,
        routes: Routes,
    ) -> Self {
        Self {
            clock: Arc::clone(&host.clock),
            ids: Arc::clone(&host.ids),
            limits: config.limits,
            body_rules: BodyRules {
                most: config.limits.body_bytes,
                patience: millis(config.timeouts.body_ms),
                tasks: host.tasks.clone(),
            },
            request_timeout: millis(config.timeouts.request_ms),
            compresses: config.compression,
            proxies: Proxies::new(&config.trusted_proxies),
            cors: Cors::new(&config.cors_origins),
            own_origins: OwnOrigins::new(&host.public_url, &config.cookie_origins),
            transport_security: config.tls.is_some().then_some(HSTS),
            authenticator,
            rate_limiter: RateLimiter::new(&config.rate_limits, config.limits.tracked_clients),
            routes,
            log: AccessLog::new(config.access_log_every),
            meters: EdgeMeters::new(),
        }
    }
}
