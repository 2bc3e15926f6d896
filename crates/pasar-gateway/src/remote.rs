//! Services in other processes: where they are, and what they answer, as they say themselves when they come up.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::future::join_all;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;
use pasar_chassis::{
    cause::Arrival,
    host::Host,
    identity::{ClientAddress, Identity},
    passport::Passports,
    service::BootError,
};
use pasar_contracts::{
    api::services::{SERVICES, ServiceDescription},
    event::Service,
};

use crate::{
    config::Config,
    openapi::Document,
    pages::Served,
    pool::Pool,
    routes::{Described, Entrance, Routes},
    upstream::Upstream,
};

/// A service that runs elsewhere, as the configuration names it.
#[derive(Clone, Debug)]
pub struct Remote {
    pub name: String,
    /// Where its instances are: `http://10.0.0.7:9103`.
    pub urls: Vec<String>,
    /// What it answers, for a service that is not ours and does not say so itself.
    pub prefixes: Vec<String>,
    /// What identities are signed with for a service that is not ours.
    pub secret: Option<String>,
}

/// A service elsewhere, with its pool.
pub(crate) struct Reached {
    name: String,
    pool: Pool,
    prefixes: Vec<String>,
}

/// How long a start waits for services to say what they answer. Those that come later are heard then.
const START_PATIENCE: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
const MOST_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn connect(
    host: &Host,
    config: &Config,
    remotes: Vec<Remote>,
) -> Result<Vec<Reached>, BootError> {
    let ours = Passports::of(host);
    remotes
        .into_iter()
        .map(|remote| {
            let passports = match &remote.secret {
                Some(secret) => ours.with_secret(secret),
                None => ours.clone(),
            };
            let pool = Pool::start(
                host,
                &remote.name,
                &remote.urls,
                passports,
                &config.upstreams,
            );
            Ok(Reached {
                pool: pool.map_err(BootError::Invalid)?,
                name: remote.name,
                prefixes: remote.prefixes,
            })
        })
        .collect()
}

/// Asks each service what it answers, now and whenever it comes up. Returns once all have said so, or after a
/// few seconds.
pub(crate) async fn describe_all(
    host: &Host,
    remotes: Vec<Reached>,
    routes: &Arc<Routes>,
    document: Document,
    served: Served,
) {
    let merging = Arc::new(Mutex::new(Merging { document, served }));
    let describing = remotes
        .into_iter()
        // What is configured is not asked for.
        .filter(|remote| remote.prefixes.is_empty())
        .map(|remote| {
            let (told, first) = tokio::sync::oneshot::channel();
            let task = keep_described(
                host.clone(),
                remote,
                Arc::clone(routes),
                Arc::clone(&merging),
                told,
            );
            let draining = host.tasks.clone();
            host.tasks.spawn("gateway descriptions", async move {
                tokio::select! {
                    () = task => {}
                    () = draining.draining() => {}
                }
            });
            first
        });
    let all = join_all(describing.collect::<Vec<_>>());
    if tokio::time::timeout(START_PATIENCE, all).await.is_err() {
        tracing::warn!("not all services can be reached yet; those that can are served");
    }
}

/// The document of all services, as far as they are known.
struct Merging {
    document: Document,
    served: Served,
}

async fn keep_described(
    host: Host,
    remote: Reached,
    routes: Arc<Routes>,
    merging: Arc<Mutex<Merging>>,
    told: tokio::sync::oneshot::Sender<()>,
) {
    let mut told = Some(told);
    let mut known: Option<ServiceDescription> = None;
    loop {
        let Some(description) = ask(&host, &remote).await else {
            // Whoever comes up is asked at once, and those whose coming up was missed after a while.
            let _ = tokio::time::timeout(PAUSE, remote.pool.came_up()).await;
            continue;
        };
        if known.as_ref() != Some(&description) {
            match take_over(&remote, &description, &routes, &merging) {
                Ok(()) => {
                    tracing::info!(service = remote.name, "the service says what it answers");
                }
                Err(error) => {
                    tracing::error!(service = remote.name, %error, "what the service answers cannot be used");
                }
            }
            known = Some(description);
        }
        if let Some(told) = told.take() {
            let _ = told.send(());
        }
        remote.pool.came_up().await;
    }
}

async fn ask(host: &Host, remote: &Reached) -> Option<ServiceDescription> {
    let request = Request::get(format!("{SERVICES}{}", remote.name))
        .extension(Arrival::new(&*host.clock, &*host.ids, &HeaderMap::new()))
        .extension(Identity::service(Service::Gateway))
        .extension(ClientAddress(None))
        .body(Body::empty())
        .ok()?;
    let asking = async {
        let response = remote.pool.call(request).await.ok()?;
        let is_ok = response.status().is_success();
        let body = Limited::new(response.into_body(), MOST_BYTES);
        let body = body.collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok().filter(|_| is_ok)
    };
    tokio::time::timeout(TIMEOUT, asking).await.ok().flatten()
}

fn take_over(
    remote: &Reached,
    description: &ServiceDescription,
    routes: &Routes,
    merging: &Mutex<Merging>,
) -> Result<(), BootError> {
    routes.describe(
        &remote.name,
        Described {
            openapi: description.openapi.clone(),
            grpc: description.grpc.clone(),
            prefixes: Vec::new(),
        },
    )?;
    let mut merging = merging.lock();
    let mut document = merging.document.clone();
    document.replace(&remote.name, description.openapi.clone());
    merging.served.replace(&document)?;
    merging.document = document;
    Ok(())
}

impl Reached {
    pub(crate) fn entrance(&self) -> Entrance {
        let is_told = !self.prefixes.is_empty();
        Entrance {
            name: self.name.clone(),
            upstream: Upstream::Pool(self.pool.clone()),
            described: is_told.then(|| Described {
                prefixes: self.prefixes.clone(),
                ..Described::default()
            }),
        }
    }
}
