#![doc = include_str!("../README.md")]

pub mod business_day;
pub mod commands;
pub mod config;
pub mod fact;
pub mod needed;
pub mod order;
pub mod pricing;
pub mod process;
pub mod queries;
pub mod reactions;
pub mod tables;
pub mod timers;
pub mod unsettled;
pub mod watch;

mod announce;
mod api;
mod changes;
mod input;
mod waiting;

#[cfg(test)]
mod shop;

use std::sync::{Arc, OnceLock};

use pasar_chassis::{
    duty::Duty,
    feed::trimming,
    host::Host,
    service::{self, BootError, Running},
    timers as due,
};
use pasar_contracts::{event::Service, grpc::orders::ORDERS};
use pasar_feed::{follow::Feeds, follower::Follower, tail::Tail};
use pasar_store::store::{Migration, OpenError, Store};

use crate::{
    api::Api,
    config::Config,
    reactions::{InventoryReactions, PaymentReactions},
    unsettled::Unsettled,
    watch::WatchLinks,
};

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_orders",
    sql: include_str!("../migrations/0001_orders.sql"),
}];

/// Opens the service's database.
pub fn open(host: &Host) -> Result<Store, OpenError> {
    host.open_feeding(Service::Orders, MIGRATIONS, needed::needed)
}

/// Starts the service: it follows inventory and payments, keeps its deadlines, and answers on its routes.
#[expect(
    clippy::unused_async,
    reason = "all services start the same way; others have to wait"
)]
pub async fn start(
    host: &Host,
    store: Store,
    feeds: &Feeds,
    config: Config,
) -> Result<Running, BootError> {
    config
        .check()
        .map_err(|invalid| BootError::Invalid(invalid.to_string()))?;
    let inventory = service::feed(feeds, Service::Orders, Service::Inventory)?;
    let payments = service::feed(feeds, Service::Orders, Service::Payments)?;
    let pay_within = config.pay_within();
    let duty = Duty::start(host, &store);
    trimming::spawn(host, &duty, &store);
    let catalogue = duty.follow(
        Service::Inventory,
        Arc::clone(&inventory),
        Arc::new(InventoryReactions { pay_within }),
    );
    let money = duty.follow(
        Service::Payments,
        payments,
        Arc::new(PaymentReactions { pay_within }),
    );
    let open = {
        let (host, config, catalogue) = (host.clone(), config.clone(), catalogue.clone());
        move || {
            gate(
                host.clone(),
                config.clone(),
                catalogue.clone(),
                money.clone(),
            )
        }
    };
    due::spawn(
        host,
        &duty,
        store.clone(),
        open,
        timers::lane,
        move |ctx, kind, key, due| timers::fire(ctx, kind, key, due, pay_within),
    );
    let api = Api {
        links: WatchLinks::new(&host.keyring, config.watch_generation, &host.public_url),
        tail: Tail::spawn(&host.tasks, store.clone()),
        unsettled: Unsettled::spawn(host, store.clone(), config.most_unsettled),
        default_location: OnceLock::new(),
        host: host.clone(),
        store,
        config,
        inventory,
        catalogue,
    };
    let (router, openapi) = api::routes(Arc::new(api));
    Ok(Running {
        router,
        openapi,
        grpc: &[ORDERS],
    })
}

/// Deadlines wait until what happened while nobody was on duty is known, as far as it can be reached.
async fn gate(host: Host, config: Config, catalogue: Follower, money: Follower) {
    let due = host.clock.now() + config.boot_gate();
    tokio::select! {
        () = async {
            catalogue.head_at_boot_reached().await;
            money.head_at_boot_reached().await;
        } => {}
        () = waiting::until(&host, due) => {
            tracing::warn!("deadlines go on although not all that happened before is known");
        }
    }
}
