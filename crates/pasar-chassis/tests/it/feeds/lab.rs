//! A publisher of each kind, and what happens to publishers.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use pasar_chassis::{
    cause::Arrival, feed, health::Health, host::Host, http, keyring::Keyring, passport::Passports,
};
use pasar_contracts::event::{Event, Service};
use pasar_feed::{
    follow::{Follow, LocalFeed},
    follower::{Reactions, Route},
    http_feed::{HttpFeed, Introduce, Publisher},
    tasks::Tasks,
};
use pasar_store::{
    cause::{Actor, Cause},
    clock::SystemClock,
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    ids::SystemIds,
    lane::{Class, LaneKey},
    store::{Migration, Store, StoreOptions},
};
use pasar_types::id::{EpochId, FlowId};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::database::Database;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Local,
    Http,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Local, Self::Http];
}

/// A publisher, in a process of its own where the kind is for such.
pub(super) struct Lab {
    kind: Kind,
    pub(super) host: Host,
    pub(super) address: SocketAddr,
    store: Option<Store>,
    /// Where another database than a file in the folder serves.
    database: Option<Database>,
    _folder: tempfile::TempDir,
}

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_seen",
    sql: "CREATE TABLE seen (place BIGINT PRIMARY KEY, sequence BIGINT NOT NULL)",
}];

/// What is published, with a part for services only.
#[derive(Serialize, Deserialize)]
pub(super) struct Happened {
    pub(super) text: String,
}

impl Event for Happened {
    const TYPE: &'static str = "happened.v1";
    const PUBLISHER: Service = Service::Orders;
}

pub(super) const PRIVATE: &str = "the private part";

/// Notes each event, in the order in which they come.
#[derive(Default)]
pub(super) struct Noting {
    held: Mutex<bool>,
    released: Condvar,
    epoch: Mutex<Option<EpochId>>,
}

pub(super) fn open(folder: &Path, service: Service) -> Store {
    Store::open(StoreOptions::file(
        service,
        folder.join(format!("{service}.db")),
        MIGRATIONS,
        Arc::new(SystemClock),
        Arc::new(SystemIds::default()),
    ))
    .unwrap()
}

pub(super) fn seen(store: &Store) -> Vec<i64> {
    store
        .read_now(|tx| {
            tx.query_all("SELECT sequence FROM seen ORDER BY place", &[], |row| {
                row.get(0)
            })
        })
        .unwrap()
}

impl Lab {
    pub(super) async fn new(kind: Kind) -> Self {
        Self::on(kind, None).await
    }

    /// With a database on the engine under test, of which a new follower needs what is said there.
    pub(super) async fn on(kind: Kind, database: Option<Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keyring = Keyring::ephemeral(&SystemIds::default());
        let mut lab = Self {
            kind,
            host: Host::system(folder.path(), keyring, "http://pasar.test"),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            store: None,
            database,
            _folder: folder,
        };
        lab.start().await;
        lab
    }

    pub(super) async fn start(&mut self) {
        let store = match &self.database {
            Some(database) => database.open(),
            None => open(&self.host.data, Service::Orders),
        };
        self.store = Some(store.clone());
        self.host.tasks = Tasks::new();
        self.host.health = Health::new(self.host.tasks.clone());
        if self.kind == Kind::Http {
            let listener = TcpListener::bind(self.address).await.unwrap();
            self.address = listener.local_addr().unwrap();
            let router = feed::router(&self.host.tasks, store).await.unwrap();
            http::serve_processes(&self.host, listener, router, &http::Limits::default());
        }
    }

    pub(super) async fn stop(&mut self) {
        let left = self.host.tasks.drain(Duration::from_secs(20)).await;
        assert!(left.is_empty(), "{left:?}");
        self.store.take().unwrap().close();
    }

    /// The publisher's process ends, and another begins at the same place.
    pub(super) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// The publisher's database is put back to an earlier state, as from a backup.
    pub(super) async fn restore_to(&mut self, sequence: i64) -> EpochId {
        self.stop().await;
        let epoch = EpochId::from_uuid(self.host.ids.uuid_v7(self.host.clock.now()));
        self.put_back(sequence)
            .execute(
                "UPDATE store_meta SET parent = epoch, forked_at = ?1, epoch = ?2",
                rusqlite::params![sequence, epoch.as_bytes()],
            )
            .unwrap();
        self.start().await;
        epoch
    }

    /// The same by another's tools, and nobody says so.
    pub(super) async fn put_back_unsaid(&mut self, sequence: i64) {
        self.stop().await;
        drop(self.put_back(sequence));
        self.start().await;
    }

    fn put_back(&self, sequence: i64) -> rusqlite::Connection {
        let path = self.host.data.join("orders.db");
        let database = rusqlite::Connection::open(path).unwrap();
        for sql in [
            "DELETE FROM feed WHERE sequence > ?1",
            "UPDATE feed_head SET head = ?1",
        ] {
            database.execute(sql, [sequence]).unwrap();
        }
        database
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().expect("the publisher runs")
    }

    /// The feed as a follower gets it whose tasks are these.
    pub(super) fn feed(&self, tasks: &Tasks) -> Arc<dyn Follow> {
        match self.kind {
            Kind::Local => Arc::new(LocalFeed::new(self.store().clone())),
            Kind::Http => Arc::new(self.http_feed(tasks, &[self.address])),
        }
    }

    pub(super) fn http_feed(&self, tasks: &Tasks, addresses: &[SocketAddr]) -> HttpFeed {
        let urls: Vec<_> = addresses
            .iter()
            .map(|address| format!("http://{address}"))
            .collect();
        HttpFeed::start(
            tasks,
            Publisher::new(Service::Orders, &urls, self.introduce()),
        )
    }

    /// The publisher's database while it does not run.
    pub(super) fn open_alone(&self) -> Store {
        let database = self.database.as_ref().expect("it has one of its own");
        database.open()
    }

    pub(super) fn introduce(&self) -> Introduce {
        let passports = Passports::of(&self.host);
        let host = self.host.clone();
        Arc::new(move |path| {
            let arrival = Arrival::new(&*host.clock, &*host.ids, &::http::HeaderMap::new());
            let passport = passports.for_service(Service::Inventory, arrival);
            passports.issue(&::http::Method::GET, path, &passport)
        })
    }

    /// So many events, a few in each commit.
    pub(super) async fn publish(&self, count: i64) {
        let mut left = count;
        while left > 0 {
            let now = left.min(7);
            left -= now;
            let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
            let published =
                self.store()
                    .write(LaneKey::ZERO, Class::Internal, cause, move |context| {
                        for _ in 0..now {
                            let key = context.new_id::<pasar_types::id::Order>().to_string();
                            let event = Happened {
                                text: "ok".to_owned(),
                            };
                            context.emit_private(&key, 1, &event, &PRIVATE)?;
                        }
                        Ok(())
                    });
            published.await.unwrap();
        }
    }
}

impl Noting {
    /// From here on every event waits.
    pub(super) fn hold(&self) {
        *self.held.lock() = true;
    }

    pub(super) fn release(&self) {
        *self.held.lock() = false;
        self.released.notify_all();
    }

    pub(super) fn epoch(&self) -> EpochId {
        self.epoch.lock().expect("an epoch has begun")
    }
}

impl Reactions for Noting {
    fn wants(&self, event_type: &str) -> bool {
        event_type == Happened::TYPE
    }

    fn route(&self, _: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::All)
    }

    fn begins(&self, epoch: EpochId) {
        *self.epoch.lock() = Some(epoch);
    }

    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        let mut held = self.held.lock();
        while *held {
            self.released.wait(&mut held);
        }
        drop(held);
        assert_eq!(event.decode::<Happened>()?.text, "ok");
        assert_eq!(event.decode_private::<String>()?, PRIVATE);
        context.execute(
            "INSERT INTO seen (place, sequence) SELECT COUNT(*), ?1 FROM seen",
            &[&event.sequence],
        )?;
        Ok(())
    }
}
