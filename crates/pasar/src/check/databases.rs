//! The databases of a data folder or a server, opened for reading alone.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure};
use pasar_chassis::databases::Databases as Places;
use pasar_contracts::event::Service;
use pasar_store::{fault::Fault, inspect::Inspector, place::Place};

use super::tables::feed;
use crate::{databases::DATABASES, lock};

pub(super) struct Databases {
    pub(super) users: Inspector,
    /// Absent where the relay runs alone.
    pub(super) shop: Option<Shop>,
    /// Absent in a folder of a time before there was a relay.
    pub(super) relay: Option<Inspector>,
    /// Only of files: whether a server's databases are at work cannot be seen.
    folders: Vec<PathBuf>,
}

/// So often it is looked whether a beat moves: for longer than a lease may be silent.
const BEAT_LOOKS: u32 = 35;

/// What is held against each other about orders.
pub(super) struct Shop {
    pub(super) inventory: Inspector,
    pub(super) orders: Inspector,
    pub(super) payments: Inspector,
    /// What the sandbox, which is no service, knows of itself. Absent where it was never asked.
    pub(super) books: Option<Inspector>,
}

impl Databases {
    /// Of files, the folders together hold all databases, each once. `books` is a file; otherwise they are with the other databases, where there is a sandbox.
    pub(super) fn open(
        places: &Places,
        folders: Vec<PathBuf>,
        books: Option<PathBuf>,
        has_sandbox: bool,
    ) -> anyhow::Result<Self> {
        for folder in &folders {
            ensure!(
                places.are_on_server() || folder.is_dir(),
                "there is no folder {}; name the data folder with --data",
                folder.display()
            );
            lock::refuse_unfinished(folder)?;
        }
        if !places.are_on_server() {
            refuse_two_of_one(&folders)?;
        }
        let place = |service: Service| places.place(folder_of(&folders, service), service);
        let open = |service: Service, migrations| {
            let place = place(service);
            ensure!(
                place.file().is_none_or(Path::is_file),
                "the database of {service} is not in {}; name its folder with --data or --also",
                listed(&folders)
            );
            Ok::<_, anyhow::Error>(Inspector::open(service, place, migrations)?)
        };
        let exists = |place: &Place| place.file().is_none_or(Path::is_file);
        let is_there = |service: Service| exists(&place(service));
        let relay = is_there(Service::Relay).then(|| open(Service::Relay, pasar_relay::MIGRATIONS));
        let of_shop = [Service::Inventory, Service::Orders, Service::Payments];
        let is_alone = relay.is_some() && !of_shop.into_iter().any(is_there);
        let shop = (!is_alone).then(|| {
            let beside = || {
                places.named(
                    folder_of(&folders, Service::Payments),
                    pasar_payments::sandbox::NAME,
                )
            };
            let place = books.map_or_else(beside, Place::File);
            let is_kept = exists(&place) && (has_sandbox || place.file().is_some());
            let books = is_kept.then(|| {
                Inspector::open(
                    Service::Payments,
                    place,
                    pasar_payments::sandbox::MIGRATIONS,
                )
            });
            Ok::<_, anyhow::Error>(Shop {
                inventory: open(Service::Inventory, pasar_inventory::MIGRATIONS)?,
                orders: open(Service::Orders, pasar_orders::MIGRATIONS)?,
                payments: open(Service::Payments, pasar_payments::MIGRATIONS)?,
                books: books.transpose()?,
            })
        });
        Ok(Self {
            users: open(Service::Users, pasar_users::MIGRATIONS)?,
            shop: shop.transpose()?,
            relay: relay.transpose()?,
            folders: if places.are_on_server() {
                Vec::new()
            } else {
                folders
            },
        })
    }

    /// Whether a process works on one of these databases now.
    pub(super) fn is_running(&self) -> Result<bool, Fault> {
        if self.folders.is_empty() {
            return is_on_duty(&self.services().collect::<Vec<_>>());
        }
        Ok(self.services().any(|database| {
            let service = database.service();
            let path = lock::path(folder_of(&self.folders, service), service.as_str());
            File::open(path).is_ok_and(|file| file.try_lock_shared().is_err())
        }))
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Inspector> {
        let shop = self.shop.iter().flat_map(Shop::services);
        [&self.users].into_iter().chain(shop).chain(&self.relay)
    }

    /// The database of a service that publishes a feed.
    pub(super) fn of(&self, service: Service) -> Option<&Inspector> {
        self.services()
            .find(|database| database.service() == service)
    }
}

/// A server knows no processes, but whoever does a service's background work says all the time that it lives.
pub(crate) fn is_on_duty(databases: &[&Inspector]) -> Result<bool, Fault> {
    let beats = || -> Result<Vec<i64>, Fault> {
        let mut all = Vec::new();
        for database in databases {
            all.extend(database.read(feed::beats)?);
        }
        Ok(all)
    };
    let before = beats()?;
    let looks = if before.is_empty() { 0 } else { BEAT_LOOKS };
    for _ in 0..looks {
        super::pause();
        if beats()? != before {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Which of two is meant nobody can know here. A folder may be named twice.
fn refuse_two_of_one(folders: &[PathBuf]) -> anyhow::Result<()> {
    for database in &DATABASES {
        let files: BTreeSet<PathBuf> = folders
            .iter()
            .filter(|folder| database.is_in(folder))
            .map(|folder| fs::canonicalize(folder.join(database.file())))
            .collect::<Result<_, _>>()?;
        let mut files = files.iter();
        if let (Some(one), Some(other)) = (files.next(), files.next()) {
            bail!(
                "there are two databases of {}, {} and {}; leave out the folder of the one that is not used, or move \
                 that file away",
                database.name,
                one.display(),
                other.display()
            );
        }
    }
    Ok(())
}

fn listed(folders: &[PathBuf]) -> String {
    let names: Vec<_> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    names.join(", ")
}

fn file_name(service: Service) -> String {
    format!("{service}.db")
}

fn folder_of(folders: &[PathBuf], service: Service) -> &Path {
    let holds = |folder: &&PathBuf| folder.join(file_name(service)).is_file();
    folders.iter().find(holds).unwrap_or(&folders[0])
}

impl Shop {
    const fn services(&self) -> [&Inspector; 3] {
        [&self.inventory, &self.orders, &self.payments]
    }

    /// The database of one of its services.
    pub(super) fn of(&self, service: Service) -> Option<&Inspector> {
        self.services()
            .into_iter()
            .find(|database| database.service() == service)
    }
}
