//! What a process gives to each service that it runs: the time, ids, an owner for tasks, keys, a place
//! for data. Everything that a test or a simulation replaces comes from here.

use std::{path::PathBuf, sync::Arc, time::Duration};

use pasar_contracts::event::Service;
use pasar_feed::tasks::Tasks;
use pasar_store::{
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
    snapshot::Needed,
    store::{Migration, OpenError, Store, StoreOptions},
};

use crate::{
    databases::Databases,
    health::Health,
    keyring::Keyring,
    sleeper::{Sleeper, SystemSleeper},
};

/// Cheap to clone; all clones are one host.
#[derive(Clone)]
pub struct Host {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub sleeper: Arc<dyn Sleeper>,
    pub tasks: Tasks,
    pub health: Health,
    /// The folder of what the process keeps, databases in files included.
    pub data: PathBuf,
    /// Other processes may run the same services on the same databases.
    pub shared: bool,
    pub databases: Databases,
    /// How long services keep their feeds at least; the whole feed if there is none.
    pub feed_keep: Option<Duration>,
    pub keyring: Keyring,
    /// What clients reach the gateway by, without a slash at the end: `https://kopi.example`.
    pub public_url: String,
}

impl Host {
    /// A host on the machine's clock, randomness and timers.
    #[must_use]
    pub fn system(data: impl Into<PathBuf>, keyring: Keyring, public_url: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let tasks = Tasks::new();
        Self {
            sleeper: Arc::new(SystemSleeper::new(Arc::clone(&clock))),
            clock,
            ids: Arc::new(SystemIds::default()),
            health: Health::new(tasks.clone()),
            tasks,
            data: data.into(),
            shared: false,
            databases: Databases::default(),
            feed_keep: None,
            keyring,
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Opens the database of a service that knows what a new follower needs of its feed.
    pub fn open_feeding(
        &self,
        service: Service,
        migrations: &'static [Migration],
        needed: Needed,
    ) -> Result<Store, OpenError> {
        Store::open(StoreOptions {
            needed,
            ..self.store_options(service, migrations)
        })
    }

    /// Opens the database of a service, and makes what it lacks unless told only to verify.
    pub fn open_store(
        &self,
        service: Service,
        migrations: &'static [Migration],
    ) -> Result<Store, OpenError> {
        Store::open(self.store_options(service, migrations))
    }

    /// How the database of a service is opened.
    #[must_use]
    pub fn store_options(
        &self,
        service: Service,
        migrations: &'static [Migration],
    ) -> StoreOptions {
        let options = StoreOptions::at(
            service,
            self.databases.place(&self.data, service),
            migrations,
            Arc::clone(&self.clock),
            Arc::clone(&self.ids),
        );
        StoreOptions {
            migrate: self.databases.migrates(),
            shared: self.shared || self.databases.are_shared(),
            ..options
        }
    }
}
