//! `pasar migrate`: brings databases to the schema of this version, without running anything on them.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::ensure;
use pasar_contracts::event::Service;
use pasar_store::{
    clock::SystemClock,
    ids::SystemIds,
    place::Place,
    store::{Migration, Store, StoreOptions},
};

use crate::{
    cli::Data,
    config::Config,
    lock::{self, DataLock},
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Services whose databases are meant [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<Service>,
    #[command(flatten)]
    data: Data,
    /// Configuration file; `pasar config` prints what it may hold
    #[arg(long, env = "PASAR_CONFIG")]
    config: Option<PathBuf>,
}

/// A database, whose service and under what name.
struct Database {
    name: &'static str,
    service: Service,
    migrations: &'static [Migration],
}

const DATABASES: [Database; 6] = [
    Database::of(Service::Users, pasar_users::MIGRATIONS),
    Database::of(Service::Inventory, pasar_inventory::MIGRATIONS),
    Database::of(Service::Orders, pasar_orders::MIGRATIONS),
    Database::of(Service::Payments, pasar_payments::MIGRATIONS),
    Database::of(Service::Relay, pasar_relay::MIGRATIONS),
    Database {
        name: pasar_payments::sandbox::NAME,
        service: Service::Payments,
        migrations: pasar_payments::sandbox::MIGRATIONS,
    },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Config::load(args.config.clone())?;
    let databases = config.database.databases()?;
    let data = &args.data.data;
    let has_database = |name: &Service| *name != Service::Gateway;
    ensure!(
        args.names.iter().all(has_database),
        "the gateway has no database; name services that have one"
    );
    // On a server the databases themselves keep others out.
    let is_named = |name: &Service| args.names.is_empty() || args.names.contains(name);
    let locked = DATABASES
        .iter()
        .filter(|database| is_named(&database.service) && !databases.are_on_server())
        .map(|database| database.name);
    lock::make_folder(data)?;
    let _locks = DataLock::take_all(data, locked)?;
    for database in &DATABASES {
        let is_sandbox = database.name != database.service.as_str();
        if is_named(&database.service) && (!is_sandbox || config.payments.sandbox.enabled) {
            let place = databases.named(data, database.name);
            let steps = database.migrate(place.clone())?;
            println!("{:<10} {} {place}", database.name, said(steps));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Database {
    const fn of(service: Service, migrations: &'static [Migration]) -> Self {
        Self {
            name: service.as_str(),
            service,
            migrations,
        }
    }

    fn migrate(&self, place: Place) -> anyhow::Result<usize> {
        let options = StoreOptions::at(
            self.service,
            place,
            self.migrations,
            Arc::new(SystemClock),
            Arc::new(SystemIds::default()),
        );
        Ok(Store::migrate(&options)?)
    }
}

fn said(steps: usize) -> String {
    match steps {
        0 => "was up to date at".to_owned(),
        1 => "took 1 step at".to_owned(),
        steps => format!("took {steps} steps at"),
    }
}
