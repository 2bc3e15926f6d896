//! The databases of a data folder, opened for reading alone.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use pasar_contracts::event::Service;
use pasar_store::inspect::{InspectError, Inspector};

use crate::lock;

pub(super) struct Databases {
    pub(super) users: Inspector,
    /// Absent where the relay runs alone.
    pub(super) shop: Option<Shop>,
    /// Absent in a folder of a time before there was a relay.
    pub(super) relay: Option<Inspector>,
    folder: PathBuf,
}

/// What is held against each other about orders.
pub(super) struct Shop {
    pub(super) inventory: Inspector,
    pub(super) orders: Inspector,
    pub(super) payments: Inspector,
    /// What the sandbox, which is no service, knows of itself. Absent where it was never asked.
    pub(super) books: Option<Inspector>,
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
        let is_there = |service: Service| folder.join(format!("{service}.db")).is_file();
        let relay = is_there(Service::Relay).then(|| open(Service::Relay, pasar_relay::MIGRATIONS));
        let of_shop = [Service::Inventory, Service::Orders, Service::Payments];
        let is_alone = relay.is_some() && !of_shop.into_iter().any(is_there);
        let shop = (!is_alone).then(|| {
            let path = books.unwrap_or_else(|| folder.join(BOOKS));
            let books = path.is_file().then(|| {
                Inspector::open(Service::Payments, path, pasar_payments::sandbox::MIGRATIONS)
            });
            Ok::<_, InspectError>(Shop {
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
            folder: folder.to_owned(),
        })
    }

    /// Whether a process works on these databases now.
    pub(super) fn is_running(&self) -> bool {
        File::open(self.folder.join(lock::FILE_NAME))
            .is_ok_and(|file| file.try_lock_shared().is_err())
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
