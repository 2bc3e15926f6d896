//! Services in other processes: their feeds, and what the gateway sends them. And what others find here.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, anyhow};
use axum::Router;
use http::{HeaderMap, Method};
use pasar_chassis::{
    cause::Arrival,
    feed, grpc, health,
    host::Host,
    http::{self as server, Limits},
    passport::Passports,
    service::{self, Running},
    telemetry::Metrics,
};
use pasar_contracts::event::Service;
use pasar_feed::{
    follow::{Feeds, Follow},
    http_feed::{HttpFeed, Introduce, Publisher},
};
use pasar_gateway::remote::Remote;
use pasar_store::store::Store;
use tokio::net::TcpListener;

use super::set::Set;
use crate::config::{Config, reachable};

/// Where the services of this process listen for the others.
pub(super) struct Listeners(Vec<(Service, TcpListener)>);

impl Listeners {
    /// None if nobody elsewhere needs what runs here.
    pub(super) async fn bind(config: &Config, set: &Set) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for service in set.services.iter().filter(|_| !set.is_whole) {
            let bind = config.place(*service)?.bind.with_context(|| {
                format!("where {service} listens must be told: [services.{service}] bind = \"127.0.0.1:9100\"")
            })?;
            let listener = TcpListener::bind(bind).await.map_err(|error| {
                anyhow!(error).context(format!(
                    "{service} cannot listen on {bind}; stop what does, or say another address: [services.{service}] \
                     bind, or --bind"
                ))
            })?;
            listeners.push((*service, listener));
        }
        Ok(Self(listeners))
    }

    /// Where the first of them is found.
    pub(super) fn url(&self) -> anyhow::Result<Option<String>> {
        let Some((_, listener)) = self.0.first() else {
            return Ok(None);
        };
        let address: SocketAddr = listener.local_addr()?;
        Ok(Some(format!("http://{}", reachable(address))))
    }

    /// Serves each service to the other processes: its routes, its feed, and what it says of itself.
    pub(super) async fn serve(
        self,
        host: &Host,
        metrics: &Metrics,
        running: &[(Service, Running)],
        store: impl Fn(Service) -> Store,
    ) -> anyhow::Result<()> {
        for (service, listener) in self.0 {
            let (_, running) = running
                .iter()
                .find(|(name, _)| *name == service)
                .context("what listens runs")?;
            let router = Router::clone(&running.router)
                .merge(feed::router(&host.tasks, store(service)).await?)
                .merge(service::description(service, running.describe(service)?))
                .merge(health::router(host.health.clone(), metrics.clone()))
                .merge(grpc::health::router(host, running.grpc))
                .merge(grpc::reflection::router(host, running.grpc));
            server::serve_processes(host, listener, router, &Limits::default());
        }
        Ok(())
    }
}

/// The feeds that are followed from here and published elsewhere.
pub(super) fn feeds(host: &Host, config: &Config, set: &Set) -> anyhow::Result<Feeds> {
    let follower = match set.services.first() {
        Some(service) => *service,
        None => Service::Gateway,
    };
    let introduce = introduce(host, follower);
    let publishers: BTreeSet<Service> = set.feeds_from_elsewhere();
    publishers
        .into_iter()
        .map(|publisher| {
            let urls = &config.place(publisher)?.urls;
            let publisher_at = Publisher::new(publisher, urls, Arc::clone(&introduce));
            let feed = HttpFeed::start(&host.tasks, publisher_at);
            Ok((publisher, Arc::new(feed) as Arc<dyn Follow>))
        })
        .collect()
}

/// The feed of a service elsewhere, for a command.
pub(crate) fn http_feed(
    host: &Host,
    config: &Config,
    publisher: Service,
) -> anyhow::Result<HttpFeed> {
    let urls = &config.place(publisher)?.urls;
    let at = Publisher::new(publisher, urls, introduce(host, Service::Gateway));
    Ok(HttpFeed::start(&host.tasks, at))
}

fn introduce(host: &Host, follower: Service) -> Introduce {
    let passports = Passports::of(host);
    let (clock, ids) = (Arc::clone(&host.clock), Arc::clone(&host.ids));
    Arc::new(move |path| {
        let arrival = Arrival::new(&*clock, &*ids, &HeaderMap::new());
        let passport = passports.for_service(follower, arrival);
        passports.issue(&Method::GET, path, &passport)
    })
}

/// What the gateway of this process sends elsewhere: to our services, and to those of others.
pub(super) fn remotes(config: &Config, set: &Set) -> anyhow::Result<Vec<Remote>> {
    if !set.gateway {
        return Ok(Vec::new());
    }
    let mut remotes = Vec::new();
    for service in set.routed_elsewhere() {
        remotes.push(Remote {
            name: service.to_string(),
            urls: config.place(service)?.urls.clone(),
            prefixes: Vec::new(),
            secret: None,
        });
    }
    let foreign = config
        .services
        .iter()
        .filter(|(_, place)| !place.prefixes.is_empty());
    remotes.extend(foreign.map(|(name, place)| Remote {
        name: name.clone(),
        urls: place.urls.clone(),
        prefixes: place.prefixes.clone(),
        secret: place.secret.as_ref().map(|secret| secret.0.clone()),
    }));
    Ok(remotes)
}
