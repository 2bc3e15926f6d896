//! A host for a service under test: its own folder, a clock that is moved by hand, one seed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use pasar_chassis::{health::Health, host::Host, keyring::Keyring, sleeper::ManualSleeper};
use pasar_contracts::event::Service;
use pasar_feed::tasks::Tasks;
use pasar_store::{
    clock::{Clock, ManualClock},
    ids::{Ids, SeededIds},
    inspect::Inspector,
    store::Migration,
};

use crate::fresh::Folder;

/// Owns all that a service under test leaves behind. When it is dropped the test fails if a database
/// that it watches holds parked events that were not expected.
pub struct TestHost {
    pub host: Host,
    pub clock: Arc<ManualClock>,
    sleeper: Arc<ManualSleeper>,
    watched: Mutex<Vec<(Service, &'static [Migration])>>,
    parked_expected: bool,
    /// The last, so that what is in it is closed before.
    _folder: Arc<Folder>,
}

const SEED: u64 = 1;
pub const PUBLIC_URL: &str = "https://pasar.test";

impl TestHost {
    /// # Panics
    /// If there is no temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(SEED));
        let keyring = Keyring::ephemeral(&*ids);
        Self::on(Arc::new(Folder::new()), keyring, ids, false)
    }

    /// Instances of a service on the same data, each with a clock of its own: one whose clock stands still is as
    /// good as stopped.
    ///
    /// # Panics
    /// If there is no temporary folder.
    #[must_use]
    pub fn several<const N: usize>() -> [Self; N] {
        let folder = Arc::new(Folder::new());
        let keyring = Keyring::ephemeral(&SeededIds::new(SEED));
        std::array::from_fn(|n| {
            let ids = Arc::new(SeededIds::new(SEED + n as u64));
            Self::on(Arc::clone(&folder), keyring.clone(), ids, true)
        })
    }

    fn on(folder: Arc<Folder>, keyring: Keyring, ids: Arc<dyn Ids>, shared: bool) -> Self {
        let clock = Arc::new(ManualClock::default());
        let sleeper = Arc::new(ManualSleeper::new(Arc::clone(&clock)));
        let tasks = Tasks::new();
        let host = Host {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            keyring,
            ids,
            sleeper: Arc::clone(&sleeper) as _,
            health: Health::new(tasks.clone()),
            tasks,
            data: folder.path().to_owned(),
            shared,
            databases: folder.databases(),
            feed_keep: None,
            public_url: PUBLIC_URL.to_owned(),
        };
        Self {
            host,
            clock,
            sleeper,
            watched: Mutex::default(),
            parked_expected: false,
            _folder: folder,
        }
    }

    /// Moves the clock; timers that become due fire.
    pub fn advance(&self, span: Duration) {
        self.sleeper.advance(span);
    }

    /// Looks into a service's database when the test ends.
    pub fn watch(&self, service: Service, migrations: &'static [Migration]) {
        self.watched.lock().push((service, migrations));
    }

    /// This test makes events that cannot be taken.
    pub const fn expect_parked(&mut self) {
        self.parked_expected = true;
    }

    /// The parked events of a watched database: publisher, type in JSON, fault.
    ///
    /// # Panics
    /// If the database cannot be read.
    #[must_use]
    pub fn parked(&self, service: Service) -> Vec<String> {
        let watched = self.watched.lock();
        let found = watched.iter().find(|(watched, _)| *watched == service);
        let (service, migrations) = *found.expect("the service is watched");
        let place = self.host.databases.place(&self.host.data, service);
        if place.file().is_some_and(|path| !path.exists()) {
            return Vec::new();
        }
        Inspector::open(service, place, migrations)
            .expect("the database opens")
            .read(|tx| {
                tx.query_all(
                    "SELECT publisher, event, fault FROM parked ORDER BY publisher, sequence",
                    &[],
                    |row| {
                        let (publisher, event, fault): (String, String, String) =
                            (row.get(0)?, row.get(1)?, row.get(2)?);
                        Ok(format!("{publisher}: {event}: {fault}"))
                    },
                )
            })
            .expect("parked events can be read")
    }

    /// Ends all tasks of the service. For tests that start it again on the same data.
    ///
    /// # Panics
    /// If a task does not end.
    pub async fn drain(&self) {
        let left = self.host.tasks.drain(crate::probe::PATIENCE).await;
        assert!(left.is_empty(), "tasks did not end: {left:?}");
    }

    /// The same data, clock and ids with new tasks: the process after a restart. Drain first.
    pub fn restart(&mut self) {
        self.host.tasks = Tasks::new();
        self.host.health = Health::new(self.host.tasks.clone());
    }
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if std::thread::panicking() || self.parked_expected {
            return;
        }
        let services: Vec<_> = self
            .watched
            .lock()
            .iter()
            .map(|watched| watched.0)
            .collect();
        for service in services {
            let parked = self.parked(service);
            assert!(parked.is_empty(), "{service} parked events: {parked:#?}");
        }
    }
}
