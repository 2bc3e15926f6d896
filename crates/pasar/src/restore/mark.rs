//! `pasar restore --mark`: a new epoch for databases that something else has restored, such as a server's own tools.

use std::path::Path;

use anyhow::ensure;
use pasar_chassis::databases::Databases;
use pasar_contracts::event::Service;
use pasar_store::{
    inspect::Inspector,
    lineage::Lineage,
    store::{Store, StoreOptions},
};

use super::Restored;
use crate::{
    check,
    databases::{DATABASES, Database},
    lock::{self, DataLock},
};

pub(super) fn run(
    databases: &Databases,
    data: &Path,
    only: &[Service],
) -> anyhow::Result<Vec<Restored>> {
    let in_files = !databases.are_on_server();
    lock::refuse_unfinished(data)?;
    let chosen: Vec<Database> = DATABASES
        .into_iter()
        // Nobody follows the sandbox.
        .filter(|database| !database.is_sandbox())
        .filter(|database| match only {
            [] => !in_files || database.is_in(data),
            only => only.contains(&database.service),
        })
        .collect();
    ensure!(
        !chosen.is_empty(),
        "there are no databases in {}; name the data folder with --data",
        data.display()
    );
    for database in &chosen {
        ensure!(
            !in_files || database.is_in(data),
            "there is no {} in {}; name the data folder with --data",
            database.file(),
            data.display()
        );
    }
    let _locks = match in_files {
        true => DataLock::take_all(data, chosen.iter().map(|database| database.name))?,
        false => Vec::new(),
    };
    let place = |database: &Database| databases.named(data, database.name);
    // All are looked at before one is changed.
    let inspectors = chosen
        .iter()
        .map(|database| {
            let inspector =
                Inspector::open(database.service, place(database), database.migrations)?;
            inspector.read(Lineage::read)?;
            Ok(inspector)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(
        in_files || !check::is_on_duty(&inspectors.iter().collect::<Vec<_>>())?,
        "a process works on these databases; end all of them first, then mark, then start them"
    );
    drop(inspectors);
    let mut restored = Vec::new();
    for database in chosen {
        let options = StoreOptions {
            migrate: false,
            ..database.options(place(&database))
        };
        let lineage = Store::fork(&options)?;
        restored.push(Restored { database, lineage });
    }
    Ok(restored)
}
