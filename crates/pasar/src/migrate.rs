//! `pasar migrate`: brings databases to the schema of this version, without running anything on them.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::ensure;
use pasar_chassis::databases::Databases;
use pasar_contracts::event::Service;
use pasar_store::store::{Migrated, Store};

use crate::{
    cli::Data,
    config::Config,
    databases::{DATABASES, Database},
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
    let chosen = DATABASES.into_iter().filter(|database| {
        let has_it = !database.is_sandbox() || config.payments.sandbox.enabled;
        is_named(&database.service) && has_it
    });
    let mut done = String::new();
    let migrated = migrate(chosen, &databases, data, &mut done);
    // At the end, so that nobody who stops reading stops it half-way.
    print!("{done}");
    migrated.map(|()| ExitCode::SUCCESS)
}

/// One after the other; `done` is what became of each.
fn migrate(
    chosen: impl Iterator<Item = Database>,
    databases: &Databases,
    data: &Path,
    done: &mut String,
) -> anyhow::Result<()> {
    let mut new = 0;
    for database in chosen {
        let place = databases.named(data, database.name);
        let migrated = Store::migrate(&database.options(place.clone()))?;
        writeln!(done, "{:<10} {} {place}", database.name, said(migrated))?;
        new += usize::from(migrated.is_new);
    }
    let made = match new {
        0 => return Ok(()),
        1 => "1 database was".to_owned(),
        new => format!("{new} databases were"),
    };
    writeln!(
        done,
        "{made} made anew; if your data is elsewhere, say where with --data or --config"
    )?;
    Ok(())
}

fn said(Migrated { steps, is_new }: Migrated) -> String {
    match steps {
        steps if is_new => format!("is new, with {steps} steps at"),
        0 => "was up to date at".to_owned(),
        1 => "took 1 step at".to_owned(),
        steps => format!("took {steps} steps at"),
    }
}
