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
    store::{OpenError, Store},
};
use pasar_users::operator::{self, FirstAdmin};

use crate::{config::Config, keyring_text};

/// A system that runs.
pub(super) struct System {
    pub(super) host: Host,
    /// Where clients reach it.
    pub(super) url: String,
    /// Only on the first start.
    pub(super) first_admin: Option<FirstAdmin>,
    stores: BTreeMap<Service, Store>,
}

impl System {
    pub(super) async fn start(
        data: &Path,
        config: Config,
        services: &BTreeSet<Service>,
    ) -> anyhow::Result<Self> {
        let listener = gateway::bind(&config.gateway).await.map_err(|error| {
            anyhow!(error).context(format!(
                "cannot listen on {}; stop what does, or name another address with --bind",
                config.gateway.bind
            ))
        })?;
        let url = config.public_url(listener.local_addr()?);
        let environment = keyring_text::given()?;
        let keyring = Keyring::open(data, environment.as_deref(), &SystemIds::default())?;
        let host = Host {
            databases: config.database.databases()?,
            ..Host::system(data, keyring, &url)
        };
        let metrics = Metrics::install(&host.tasks)?;
        let stores = open(&host, services)?;
        let feeds: Feeds = stores
            .iter()
            .map(|(service, store)| {
                (
                    *service,
                    Arc::new(LocalFeed::new(store.clone())) as Arc<dyn Follow>,
                )
            })
            .collect();
        let first_admin = first_admin(&stores, &config).await?;
        let gateway_config = config.gateway.clone();
        let running = start_services(&host, &stores, &feeds, config).await?;
        gateway::start(&host, gateway_config, listener, metrics, running, &feeds).await?;
        Ok(Self {
            host,
            url,
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

fn open_one(host: &Host, service: Service) -> Result<Store, OpenError> {
    match service {
        Service::Users => pasar_users::open(host),
        Service::Inventory => pasar_inventory::open(host),
        Service::Orders => pasar_orders::open(host),
        Service::Payments => pasar_payments::open(host),
        Service::Relay => pasar_relay::open(host),
        Service::Gateway => unreachable!("a set holds services with databases"),
    }
}

async fn first_admin(
    stores: &BTreeMap<Service, Store>,
    config: &Config,
) -> anyhow::Result<Option<FirstAdmin>> {
    let users = &stores[&Service::Users];
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
