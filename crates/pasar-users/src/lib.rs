#![doc = include_str!("../README.md")]

pub mod config;
pub mod needed;
pub mod operator;

mod access_token;
mod account;
mod api;
mod api_key;
mod authentication;
mod commands;
mod password;
mod queries;
mod refresh_token;
mod signing_key;
mod source;
mod tables;
mod throttle;
mod upkeep;

#[cfg(test)]
mod given;

use std::sync::Arc;

use pasar_chassis::{
    host::Host,
    problem::Chain,
    service::{BootError, Running},
};
use pasar_contracts::{event::Service, grpc::users::USERS};
use pasar_feed::follow::Feeds;
use pasar_store::store::{Migration, OpenError, Store};

use crate::{
    access_token::AccessTokens, api::Api, authentication::Authentication, config::Config,
    password::Passwords, refresh_token::RefreshTokens, signing_key::SigningKeys,
    throttle::Throttle, upkeep::KeysUnavailable,
};

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_users",
    sql: include_str!("../migrations/0001_users.sql"),
}];

/// Opens the service's database.
pub fn open(host: &Host) -> Result<Store, OpenError> {
    host.open_feeding(Service::Users, MIGRATIONS, needed::needed)
}

/// Starts the service. It follows nobody.
pub async fn start(
    host: &Host,
    store: Store,
    _feeds: &Feeds,
    config: Config,
) -> Result<Running, BootError> {
    config
        .check()
        .map_err(|error| BootError::Invalid(error.to_string()))?;
    let passwords = Passwords::new(&config.password_hash, Arc::clone(&host.ids))
        .map_err(|error| BootError::Invalid(error.to_string()))?;
    let keys = SigningKeys::default();
    upkeep::prepare(host, &store).await?;
    upkeep::load(host, &store, &keys).await.map_err(no_keys)?;
    upkeep::spawn(host, &store, keys.clone(), &config);
    let authentication = Authentication {
        store: store.clone(),
        passwords,
        throttle: Throttle::new(Arc::clone(&host.clock)),
        access_tokens: AccessTokens {
            keys,
            issuer: host.public_url.clone(),
            life: config.access_token_life(),
        },
        refresh_tokens: RefreshTokens::new(&host.keyring),
        lives: config.lives(),
    };
    let (router, openapi) = api::routes(
        host,
        Api {
            store,
            authentication,
        },
    );
    Ok(Running {
        router,
        openapi,
        grpc: &[USERS],
    })
}

fn no_keys(error: KeysUnavailable) -> BootError {
    match error {
        KeysUnavailable::Fault(fault) => BootError::Fault(fault),
        KeysUnavailable::OtherKeyring => BootError::Invalid(Chain(&error).to_string()),
    }
}
