//! Starts what was asked for, in the order in which it depends on each other: address, keys, databases,
//! services, gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use pasar_chassis::{
    feed,
    host::Host,
    keyring::Keyring,
    service::{BootError, Running},
    telemetry::Metrics,
};
use pasar_contracts::event::Service;
use pasar_feed::follow::{Feeds, Follow, LocalFeed};
use pasar_gateway::gateway;
use pasar_store::{
    ids::SystemIds,
    store::{Migration, OpenError, Store},
};
use pasar_users::operator::{self, FirstAdmin};
use tokio::net::TcpListener;

use super::{
    elsewhere::{self, Listeners},
    set::Set,
};
use crate::{config::Config, keyring_text};

/// A system that runs.
pub(super) struct System {
    pub(super) host: Host,
    /// Where clients reach it, or other processes where it has no gateway.
    pub(super) url: String,
    pub(super) has_gateway: bool,
    /// Only on the first start.
    pub(super) first_admin: Option<FirstAdmin>,
    stores: BTreeMap<Service, Store>,
}

impl System {
    pub(super) async fn start(data: &Path, config: Config, set: &Set) -> anyhow::Result<Self> {
        let listener = match set.gateway {
            true => Some(bind(&config).await?),
            false => None,
        };
        let listeners = Listeners::bind(&config, set).await?;
        let public_url = match &listener {
            Some(listener) => config.public_url(listener.local_addr()?),
            None => config.public_url_elsewhere()?,
        };
        let environment = keyring_text::given()?;
        let keyring = Keyring::open(data, environment.as_deref(), &SystemIds::default())?;
        let host = Host {
            databases: config.database.databases()?,
            feed_keep: config.feeds.keep(),
            ..Host::system(data, keyring, &public_url)
        };
        let metrics = Metrics::install(&host.tasks)?;
        let stores = open(&host, &set.services)?;
        let mut feeds = elsewhere::feeds(&host, &config, set)?;
        feeds.extend(stores.iter().map(|(service, store)| {
            let feed = LocalFeed::new(store.clone());
            (*service, Arc::new(feed) as Arc<dyn Follow>)
        }));
        let first_admin = first_admin(&stores, &config).await?;
        let gateway_config = config.gateway.clone();
        let remotes = elsewhere::remotes(&config, set)?;
        let mut running = start_services(&host, &stores, &feeds, config).await?;
        let url = match (&listener, listeners.url()?) {
            (None, Some(url)) => url,
            _ => public_url,
        };
        listeners
            .serve(&host, &metrics, &running, |service| {
                stores[&service].clone()
            })
            .await?;
        if let Some(listener) = listener {
            for (service, running) in &mut running {
                let feed = feed::router(&host.tasks, stores[service].clone()).await?;
                running.router = std::mem::take(&mut running.router).merge(feed);
            }
            gateway::start(
                &host,
                gateway_config,
                listener,
                metrics,
                running,
                remotes,
                &feeds,
            )
            .await?;
        }
        Ok(Self {
            host,
            url,
            has_gateway: set.gateway,
            first_admin,
            stores,
        })
    }

    pub(super) fn store(&self, service: Service) -> anyhow::Result<&Store> {
        self.stores
            .get(&service)
            .with_context(|| format!("{service} does not run in this process"))
    }

    /// Lets what is under way end, then closes the databases. Answers the tasks that did not end in time.
    pub(super) async fn stop(self, deadline: Duration) -> Vec<&'static str> {
        let left = self.host.tasks.drain(deadline).await;
        for store in self.stores.values() {
            store.close();
        }
        left
    }
}

async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    gateway::bind(&config.gateway).await.map_err(|error| {
        anyhow!(error).context(format!(
            "cannot listen on {}; stop what does, or name another address with --bind",
            config.gateway.bind
        ))
    })
}

/// All databases at the same time: each migrates and syncs on its own.
fn open(host: &Host, services: &BTreeSet<Service>) -> Result<BTreeMap<Service, Store>, OpenError> {
    thread::scope(|scope| {
        let opening: Vec<_> = services
            .iter()
            .map(|service| (*service, scope.spawn(move || open_one(host, *service))))
            .collect();
        opening
            .into_iter()
            .map(|(service, opened)| Ok((service, opened.join().expect("opening does not panic")?)))
            .collect()
    })
}

/// Opens the database of a service.
pub(crate) fn open_one(host: &Host, service: Service) -> Result<Store, OpenError> {
    match service {
        Service::Users => pasar_users::open(host),
        Service::Inventory => pasar_inventory::open(host),
        Service::Orders => pasar_orders::open(host),
        Service::Payments => pasar_payments::open(host),
        Service::Relay => pasar_relay::open(host),
        Service::Gateway => unreachable!("a set holds services with databases"),
    }
}

/// The schema of a service.
pub(crate) fn migrations(service: Service) -> &'static [Migration] {
    match service {
        Service::Users => pasar_users::MIGRATIONS,
        Service::Inventory => pasar_inventory::MIGRATIONS,
        Service::Orders => pasar_orders::MIGRATIONS,
        Service::Payments => pasar_payments::MIGRATIONS,
        Service::Relay => pasar_relay::MIGRATIONS,
        Service::Gateway => &[],
    }
}

async fn first_admin(
    stores: &BTreeMap<Service, Store>,
    config: &Config,
) -> anyhow::Result<Option<FirstAdmin>> {
    let Some(users) = stores.get(&Service::Users) else {
        return Ok(None);
    };
    let password = env::var("PASAR_ADMIN_PASSWORD").ok();
    operator::ensure_admin(users, &config.users, password.as_deref())
        .await
        .context("cannot make the first admin")
}

/// One after the other, as each is quick; they follow each other by their feeds from then on.
async fn start_services(
    host: &Host,
    stores: &BTreeMap<Service, Store>,
    feeds: &Feeds,
    config: Config,
) -> Result<Vec<(Service, Running)>, BootError> {
    let mut running = Vec::new();
    for (service, store) in stores {
        let store = store.clone();
        let started = match service {
            Service::Users => pasar_users::start(host, store, feeds, config.users.clone()).await?,
            Service::Inventory => {
                pasar_inventory::start(host, store, feeds, config.inventory.clone()).await?
            }
            Service::Orders => {
                pasar_orders::start(host, store, feeds, config.orders.clone()).await?
            }
            Service::Payments => {
                pasar_payments::start(host, store, feeds, config.payments.clone()).await?
            }
            Service::Relay => pasar_relay::start(host, store, feeds, config.relay.clone()).await?,
            Service::Gateway => {
                unreachable!("a set holds services with databases")
            }
        };
        running.push((*service, started));
    }
    Ok(running)
}
