//! The gateway put together: from a configuration and running services to a listening address.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::HeaderValue;
use pasar_chassis::{
    host::Host,
    identity::Identity,
    passport::Bearer,
    service::{BootError, Running},
    telemetry::Metrics,
};
use pasar_contracts::{event::Service, grpc};
use pasar_feed::follow::Feeds;
use pasar_store::{clock::Clock, ids::Ids};
use tokio::net::TcpListener;
use utoipa::openapi::OpenApi;

use crate::{
    access_log::AccessLog,
    answer,
    authentication::Authenticator,
    config::{Config, Limits, millis},
    cors::Cors,
    forwarding::Proxies,
    meters::EdgeMeters,
    openapi::Document,
    pages::{self, Served},
    rate_limit::RateLimiter,
    remote::{self, Reached, Remote},
    request_body::BodyRules,
    routes::{Described, Entrance, Routes},
    server::{Server, tls},
    session_cookie::OwnOrigins,
    upstream::Upstream,
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
    /// What all answers say alike, as lines.
    pub(crate) answer_lines: Box<[u8]>,
    pub(crate) authenticator: Arc<Authenticator>,
    /// Whoever brings no credential, as services in other processes are told.
    pub(crate) anonymous: Bearer,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) routes: Arc<Routes>,
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

/// What services offer by gRPC, for those that run elsewhere.
const GRPC: [(Service, &str); 5] = [
    (Service::Users, grpc::users::USERS),
    (Service::Inventory, grpc::inventory::INVENTORY),
    (Service::Orders, grpc::orders::ORDERS),
    (Service::Payments, grpc::payments::PAYMENTS),
    (Service::Relay, grpc::relay::RELAY),
];
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
/// found valid ([`Config::validate`]). `services` run in this process, `remotes` in others; those that cannot be
/// reached yet are told of when they can.
pub async fn start(
    host: &Host,
    config: Config,
    listener: TcpListener,
    metrics: Metrics,
    services: Vec<(Service, Running)>,
    remotes: Vec<Remote>,
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
    let mut document = Document::new(&host.public_url, pages::openapi());
    for (service, running) in &services {
        document.add(service.as_str(), &running.openapi)?;
    }
    let served = Served::new(&document)?;
    let here = services.iter().flat_map(|(_, running)| running.grpc);
    let is_elsewhere = |name: &str| remotes.iter().any(|remote| remote.name == name);
    let elsewhere = GRPC.iter().filter(|(name, _)| is_elsewhere(name.as_str()));
    let offered: Vec<&str> = here
        .copied()
        .chain(elsewhere.map(|(_, offered)| *offered))
        .collect();
    let pages = pages::router(host, &config, metrics, served.clone(), &offered);
    let mut entrances: Vec<Entrance> = services
        .into_iter()
        .chain([(Service::Gateway, pages)])
        .map(local)
        .collect::<Result<_, _>>()?;
    let openapi = document.clone().into_openapi();
    let remotes = remote::connect(host, &config, remotes)?;
    entrances.extend(remotes.iter().map(Reached::entrance));
    let users = entrances
        .iter()
        .find(|entrance| entrance.name == Service::Users.as_str());
    let users = users.map(|entrance| entrance.upstream.clone());
    let routes = Arc::new(Routes::new(entrances)?);
    remote::describe_all(host, remotes, &routes, document, served).await;
    let authenticator = Authenticator::start(host, &config, users, feeds).await;
    let gateway = Arc::new(Gateway::new(host, &config, authenticator, routes));
    let server = Server::new(gateway, &config, tls, host.tasks.clone());
    host.tasks.spawn("gateway", server.run(listener));
    tracing::info!(%address, "the gateway listens");
    Ok(Started { address, openapi })
}

fn local((service, running): (Service, Running)) -> Result<Entrance, BootError> {
    let description = running.describe(service)?;
    Ok(Entrance {
        name: service.to_string(),
        upstream: Upstream::Local(running.router),
        described: Some(Described {
            openapi: description.openapi,
            grpc: description.grpc,
            prefixes: Vec::new(),
        }),
    })
}

impl Gateway {
    fn new(
        host: &Host,
        config: &Config,
        authenticator: Arc<Authenticator>,
        routes: Arc<Routes>,
    ) -> Self {
        let transport_security = config.tls.is_some().then_some(HSTS);
        let cors = Cors::new(&config.cors_origins);
        Self {
            answer_lines: answer::lines(&cors, transport_security.as_ref()),
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
            cors,
            own_origins: OwnOrigins::new(&host.public_url, &config.cookie_origins),
            transport_security,
            authenticator,
            anonymous: Bearer::of(&Identity::anonymous()),
            rate_limiter: RateLimiter::new(&config.rate_limits, config.limits.tracked_clients),
            routes,
            log: AccessLog::new(config.access_log_every),
            meters: EdgeMeters::new(),
        }
    }
}
