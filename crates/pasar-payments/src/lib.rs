#![doc = include_str!("../README.md")]

pub mod commands;
pub mod config;
pub mod effects;
pub mod ledger;
pub mod methods;
pub mod needed;
pub mod payment;
pub mod provider;
pub mod providers;
pub mod reactions;
pub mod sandbox;

mod api;
mod desk;
mod queries;
mod tables;
#[cfg(test)]
mod testing;
mod timers;

use std::sync::Arc;

use pasar_chassis::{
    duty::Duty,
    effects as effect_runner,
    feed::trimming,
    host::Host,
    service::{self, BootError, Running},
    timers as timer_runner,
};
use pasar_contracts::{event::Service, grpc::payments::PAYMENTS};
use pasar_feed::follow::Feeds;
use pasar_store::store::{Migration, OpenError, Store};

use crate::{
    api::Api, config::Config, effects::worker::Worker, methods::Methods, reactions::OrderReactions,
    sandbox::Sandbox,
};

/// Steps of the schema of `payments.db`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "payments/0001_payments",
    sql: include_str!("../migrations/0001_payments.sql"),
}];

/// Opens the service's database.
pub fn open(host: &Host) -> Result<Store, OpenError> {
    host.open_feeding(Service::Payments, MIGRATIONS, needed::needed)
}

/// Starts the service with the payment methods that its configuration names.
pub async fn start(
    host: &Host,
    store: Store,
    feeds: &Feeds,
    config: Config,
) -> Result<Running, BootError> {
    config
        .check()
        .map_err(|invalid| BootError::Invalid(invalid.to_string()))?;
    let sandbox = config
        .sandbox
        .enabled
        .then(|| Sandbox::open(host, config.sandbox.clone()))
        .transpose()?;
    let methods = Methods::new(&config, sandbox, &host.clock).map_err(|error| {
        BootError::Invalid(format!("failed to prepare an HTTP client: {error}"))
    })?;
    start_with(host, store, feeds, &config, methods)
}

/// Starts the service with the payment methods that are given.
pub fn start_with(
    host: &Host,
    store: Store,
    feeds: &Feeds,
    config: &Config,
    methods: Methods,
) -> Result<Running, BootError> {
    let orders = service::feed(feeds, Service::Payments, Service::Orders)?;
    let duty = Duty::start(host, &store);
    trimming::spawn(host, &duty, &store);
    let reactions = Arc::new(OrderReactions::new(methods.clone()));
    duty.follow(Service::Orders, orders, reactions);
    let worker = Arc::new(Worker::new(store.clone(), methods.clone(), config));
    effect_runner::spawn(host, &duty, store.clone(), worker, config.max_in_flight);
    // Its timers only ask providers again, which needs no feed to be read first.
    timer_runner::spawn(
        host,
        &duty,
        store.clone(),
        || std::future::ready(()),
        |_, key| timers::lane(key),
        |ctx, kind, key, _| timers::fire(ctx, kind, key),
    );
    let (router, openapi) = api::routes(host, Api { store, methods });
    Ok(Running {
        router,
        openapi,
        grpc: &[PAYMENTS],
    })
}
