//! `pasar migrate`: brings databases to the schema of this version, without running anything on them.

use std::{path::PathBuf, process::ExitCode};

use anyhow::ensure;
use pasar_contracts::event::Service;
use pasar_store::store::Store;

use crate::{
    cli::Data,
    config::Config,
    databases::DATABASES,
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
        let has_it = !database.is_sandbox() || config.payments.sandbox.enabled;
        if is_named(&database.service) && has_it {
            let place = databases.named(data, database.name);
            let steps = Store::migrate(&database.options(place.clone()))?;
            println!("{:<10} {} {place}", database.name, said(steps));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn said(steps: usize) -> String {
    match steps {
        0 => "was up to date at".to_owned(),
        1 => "took 1 step at".to_owned(),
        steps => format!("took {steps} steps at"),
    }
}
