#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod location;
pub mod needed;
pub mod product;
pub mod queries;
pub mod reactions;
pub mod stock;

mod api;
mod desk;
mod expiry;
mod field;
mod tables;
mod timers;

#[cfg(test)]
mod shop;

use std::sync::Arc;

use pasar_chassis::{
    duty::Duty,
    effects,
    feed::trimming,
    host::Host,
    service::{self, BootError, Running},
    timers as due,
};
use pasar_contracts::{event::Service, grpc::inventory::INVENTORY};
use pasar_feed::follow::Feeds;
use pasar_store::{
    cause::{Actor, Cause},
    lane::{Class, LaneKey},
    store::{Migration, OpenError, Store},
};
use pasar_types::id::FlowId;

use crate::{
    api::Api,
    commands::ensure_default_location::{EnsureDefaultLocation, ensure_default_location},
    config::Config,
    expiry::ExpiryWorker,
    reactions::OrderReactions,
};

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_inventory",
    sql: include_str!("../migrations/0001_inventory.sql"),
}];

/// Opens the service's database.
pub fn open(host: &Host) -> Result<Store, OpenError> {
    host.open_feeding(Service::Inventory, MIGRATIONS, needed::needed)
}

/// Starts the service: it follows orders, keeps its timers, and answers on its routes.
pub async fn start(
    host: &Host,
    store: Store,
    feeds: &Feeds,
    config: Config,
) -> Result<Running, BootError> {
    let details = config.default_location.details()?;
    let reservation_margin = config.reservation_margin()?;
    let orders = service::feed(feeds, Service::Inventory, Service::Orders)?;
    let ensure = EnsureDefaultLocation { details };
    let flow = FlowId::from_uuid(host.ids.uuid_v7(host.clock.now()));
    let cause = Cause::new(Actor::Service(Service::Inventory), flow);
    let default_location = store
        .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
            ensure_default_location(ctx, &ensure)
        })
        .await?;
    let duty = Duty::start(host, &store);
    trimming::spawn(host, &duty, &store);
    let reactions = Arc::new(OrderReactions { reservation_margin });
    let follower = duty.follow(Service::Orders, Arc::clone(&orders), reactions);
    // Nothing to wait for at boot: what a late expiry has to wait for, its effect does.
    due::spawn(
        host,
        &duty,
        store.clone(),
        || std::future::ready(()),
        timers::lane(store.clone()),
        |ctx, kind, key, _| timers::fire(ctx, kind, key),
    );
    let worker = Arc::new(ExpiryWorker::new(host, store.clone(), orders, follower));
    effects::spawn(host, &duty, store.clone(), worker, expiry::MOST_IN_FLIGHT);
    let (router, openapi) = api::routes(
        host,
        Api {
            store,
            default_location,
        },
    );
    Ok(Running {
        router,
        openapi,
        grpc: &[INVENTORY],
    })
}
