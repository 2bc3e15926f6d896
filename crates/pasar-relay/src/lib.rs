#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod declared;
pub mod delivery;
pub mod destination;
pub mod destinations;
pub mod filter;
pub mod format;
pub mod log;
pub mod matcher;
pub mod message;
pub mod needed;
pub mod queries;
pub mod reactions;
pub mod retention;
pub mod sharing;
pub mod subscription;
pub mod topic;
pub mod vault;

mod access;
mod api;
mod flows;
mod input;
mod live;
mod secrets;
mod tables;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use pasar_chassis::{
    duty::Duty,
    feed::trimming,
    host::Host,
    service::{BootError, Running},
};
use pasar_contracts::event::Service;
use pasar_feed::follow::Feeds;
use pasar_store::store::{Migration, OpenError, Store};

use crate::{
    api::Api, config::Config, delivery::Deliveries, destination::Network, live::Live, log::Log,
    reactions::Copying, vault::Vault,
};

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_relay",
        sql: include_str!("../migrations/0001_relay.sql"),
    },
    Migration {
        name: "0002_replays_counted",
        sql: include_str!("../migrations/0002_replays_counted.sql"),
    },
    Migration {
        name: "0003_nudges",
        sql: include_str!("../migrations/0003_nudges.sql"),
    },
    Migration {
        name: "0004_shares",
        sql: include_str!("../migrations/0004_shares.sql"),
    },
];

/// Opens the service's database.
pub fn open(host: &Host) -> Result<Store, OpenError> {
    host.open_feeding(Service::Relay, MIGRATIONS, needed::needed)
}

/// Starts the service: it follows every feed there is, its own too, and answers on its routes.
pub async fn start(
    host: &Host,
    store: Store,
    feeds: &Feeds,
    config: Config,
) -> Result<Running, BootError> {
    let vault = Vault::new(host.keyring.clone());
    sharing::cut(host, &store).await?;
    declared::apply(&store, &vault, &config.subscriptions).await?;
    let log = Log::open(store.clone())?;
    log.hear_others(&host.tasks);
    let duty = Duty::start(host, &store);
    trimming::spawn(host, &duty, &store);
    for (publisher, feed) in feeds {
        let copying = Arc::new(Copying::new(*publisher));
        duty.follow(*publisher, Arc::clone(feed), copying);
    }
    let live = Live::start(host, log.clone());
    let network = Network::new(&config, host.tasks.clone());
    let duties = sharing::duties(host, &store, &duty).await?;
    let deliveries = Deliveries::start(host, &duties, log.clone(), &config, vault.clone(), network);
    retention::spawn(host, &duty, store, deliveries.clone(), &config);
    let api = Api {
        host: host.clone(),
        config,
        log,
        live,
        vault,
        deliveries,
    };
    let (router, openapi) = api::routes(Arc::new(api));
    Ok(Running {
        router,
        openapi,
        grpc: &[pasar_contracts::grpc::relay::RELAY],
    })
}
