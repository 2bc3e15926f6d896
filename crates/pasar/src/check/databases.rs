//! The databases of a data folder, opened for reading alone.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use pasar_contracts::event::Service;
use pasar_store::inspect::Inspector;

use crate::lock;

pub(super) struct Databases {
    pub(super) users: Inspector,
    pub(super) inventory: Inspector,
    pub(super) orders: Inspector,
    pub(super) payments: Inspector,
    /// Absent in a folder of a time before there was a relay.
    pub(super) relay: Option<Inspector>,
    /// What the sandbox, which is no service, knows of itself. Absent where it was never asked.
    pub(super) books: Option<Inspector>,
    folder: PathBuf,
}

const BOOKS: &str = "sandbox.db";

impl Databases {
    pub(super) fn open(folder: &Path, books: Option<PathBuf>) -> anyhow::Result<Self> {
        ensure!(
            folder.is_dir(),
            "there is no folder {}; name the data folder with --data",
            folder.display()
        );
        let open = |service: Service, migrations| {
            Inspector::open(service, folder.join(format!("{service}.db")), migrations)
        };
        let relay = folder
            .join(format!("{}.db", Service::Relay))
            .is_file()
            .then(|| open(Service::Relay, pasar_relay::MIGRATIONS));
        let path = books.unwrap_or_else(|| folder.join(BOOKS));
        let books = path
            .is_file()
            .then(|| Inspector::open(Service::Payments, path, pasar_payments::sandbox::MIGRATIONS));
        Ok(Self {
            users: open(Service::Users, pasar_users::MIGRATIONS)?,
            inventory: open(Service::Inventory, pasar_inventory::MIGRATIONS)?,
            orders: open(Service::Orders, pasar_orders::MIGRATIONS)?,
            payments: open(Service::Payments, pasar_payments::MIGRATIONS)?,
            relay: relay.transpose()?,
            books: books.transpose()?,
            folder: folder.to_owned(),
        })
    }

    /// Whether a process works on these databases now.
    pub(super) fn is_running(&self) -> bool {
        File::open(self.folder.join(lock::FILE_NAME))
            .is_ok_and(|file| file.try_lock_shared().is_err())
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Inspector> {
        [&self.users, &self.inventory, &self.orders, &self.payments]
            .into_iter()
            .chain(&self.relay)
    }

    /// The database of a service that publishes a feed.
    pub(super) fn of(&self, service: Service) -> Option<&Inspector> {
        self.services()
            .find(|database| database.service() == service)
    }
}
