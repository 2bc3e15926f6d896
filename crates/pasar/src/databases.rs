//! All databases that there are: one a service, and the sandbox's books.

use std::{path::Path, sync::Arc};

use pasar_contracts::event::Service;
use pasar_store::{
    clock::SystemClock,
    ids::SystemIds,
    place::Place,
    store::{Migration, StoreOptions},
};

/// A database, whose service and under what name.
#[derive(Clone, Copy)]
pub(crate) struct Database {
    pub(crate) name: &'static str,
    /// Of the sandbox, which is no service, the one that asks it.
    pub(crate) service: Service,
    pub(crate) migrations: &'static [Migration],
}

pub(crate) const DATABASES: [Database; 6] = [
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

impl Database {
    const fn of(service: Service, migrations: &'static [Migration]) -> Self {
        Self {
            name: service.as_str(),
            service,
            migrations,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        DATABASES.into_iter().find(|database| database.name == name)
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.name != self.service.as_str()
    }

    /// The name of its file.
    pub(crate) fn file(&self) -> String {
        format!("{}.db", self.name)
    }

    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        folder.join(self.file()).is_file()
    }

    pub(crate) fn options(&self, place: impl Into<Place>) -> StoreOptions {
        StoreOptions::at(
            self.service,
            place.into(),
            self.migrations,
            Arc::new(SystemClock),
            Arc::new(SystemIds::default()),
        )
    }
}
