//! A relay that runs between feeds that are in the test's hand, and what stands in its log.

use std::{sync::Arc, time::Duration};

use pasar_contracts::event::Service;
use pasar_feed::follow::{Feeds, LocalFeed};
use pasar_relay::{MIGRATIONS, config::Config};
use pasar_store::store::Store;
use pasar_testkit::{client::Client, feed::FakeFeed, host::TestHost, probe::soon};

pub(crate) struct Shop {
    pub(crate) test: TestHost,
    pub(crate) orders: FakeFeed,
    pub(crate) payments: FakeFeed,
    pub(crate) store: Store,
    pub(crate) client: Client,
}

/// A message as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) position: i64,
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let test = TestHost::new();
        let orders = FakeFeed::on_clock(Service::Orders, Arc::clone(&test.clock) as _);
        let payments = FakeFeed::on_clock(Service::Payments, Arc::clone(&test.clock) as _);
        let store = pasar_relay::open(&test.host).unwrap();
        test.watch(Service::Relay, MIGRATIONS);
        let client = run(&test, &store, &orders, &payments).await;
        Self {
            test,
            orders,
            payments,
            store,
            client,
        }
    }

    /// The process after a restart, on the same data.
    pub(crate) async fn restart(&mut self) {
        self.test.drain().await;
        self.store.close();
        self.test.restart();
        self.store = pasar_relay::open(&self.test.host).unwrap();
        self.client = run(&self.test, &self.store, &self.orders, &self.payments).await;
    }

    pub(crate) fn log(&self) -> Vec<Logged> {
        self.store
            .read_now(|tx| {
                tx.query_all(
                    "SELECT position, topic, id, data FROM message ORDER BY position",
                    &[],
                    |row| {
                        Ok(Logged {
                            position: row.get(0)?,
                            topic: row.get(1)?,
                            id: row.get(2)?,
                            data: String::from_utf8(row.get(3)?).unwrap(),
                        })
                    },
                )
            })
            .unwrap()
    }

    /// How far the relay has followed a service.
    pub(crate) fn followed(&self, publisher: Service) -> i64 {
        self.store
            .read_now(|tx| {
                tx.query_opt(
                    "SELECT sequence FROM follower_position WHERE publisher = ?1",
                    &[&publisher],
                    |row| row.get(0),
                )
            })
            .unwrap()
            .unwrap_or_default()
    }

    /// Waits until everything that the feeds hold was taken.
    pub(crate) async fn caught_up(&self) {
        let is_there = || {
            self.followed(Service::Orders) == self.orders.head()
                && self.followed(Service::Payments) == self.payments.head()
                && self.followed(Service::Relay) == self.store.head()
        };
        soon("the relay follows", async {
            while !is_there() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

async fn run(test: &TestHost, store: &Store, orders: &FakeFeed, payments: &FakeFeed) -> Client {
    let own = Arc::new(LocalFeed::new(store.clone()));
    let feeds = Feeds::from([
        (Service::Orders, orders.follow()),
        (Service::Payments, payments.follow()),
        (Service::Relay, own as _),
    ]);
    let running = pasar_relay::start(&test.host, store.clone(), &feeds, Config::default())
        .await
        .unwrap();
    Client::new(running.router)
}
