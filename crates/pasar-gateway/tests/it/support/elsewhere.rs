//! The fake services behind listeners of their own, as processes have them.

use std::net::SocketAddr;

use axum::Router;
use pasar_chassis::{
    health,
    host::Host,
    http::{self, Limits},
    keyring::Keyring,
    service::{self, Running},
    telemetry::Metrics,
};
use pasar_contracts::event::Service;
use pasar_feed::follow::Feeds;
use pasar_gateway::{config::Config, gateway, remote::Remote};
use tokio::net::TcpListener;

/// One instance of each.
pub(crate) async fn serve(host: &Host, services: Vec<(Service, Running)>) -> Vec<Remote> {
    let mut remotes = Vec::new();
    for (service, running) in services {
        let address = serve_one(host, service, running).await;
        remotes.push(remote(service, &[address]));
    }
    remotes
}

/// An instance; it ends when its host drains.
pub(crate) async fn serve_one(host: &Host, service: Service, running: Running) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve_at(host, service, running, listener)
}

pub(crate) fn serve_at(
    host: &Host,
    service: Service,
    running: Running,
    listener: TcpListener,
) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    let description = running.describe(service).unwrap();
    let router = Router::new()
        .merge(running.router)
        .merge(service::description(service, description))
        .merge(health::router(
            host.health.clone(),
            Metrics::detached().unwrap(),
        ));
    http::serve_processes(host, listener, router, &Limits::default());
    address
}

pub(crate) fn remote(service: Service, addresses: &[SocketAddr]) -> Remote {
    let urls = addresses.iter().map(|address| format!("http://{address}"));
    Remote {
        name: service.to_string(),
        urls: urls.collect(),
        prefixes: Vec::new(),
        secret: None,
    }
}

/// A gateway alone, in front of one service, whose instances it looks at often. It counts no requests.
pub(crate) async fn gateway(keyring: &Keyring, remote: Remote) -> (Host, SocketAddr) {
    let host = Host::system(".", keyring.clone(), "http://pasar.test");
    let mut config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    config.rate_limits.anonymous.requests = 0;
    config.upstreams.health_ms = 50;
    let listener = gateway::bind(&config).await.unwrap();
    let started = gateway::start(
        &host,
        config,
        listener,
        Metrics::detached().unwrap(),
        Vec::new(),
        vec![remote],
        &Feeds::new(),
    )
    .await
    .unwrap();
    host.health.booted();
    (host, started.address)
}
