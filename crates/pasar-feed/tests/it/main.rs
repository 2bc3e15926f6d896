//! Following a local feed: from the start, across a restart, past events that do not concern it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use pasar_contracts::event::{Event, Service};
use pasar_feed::{
    follow::{Follow, LocalFeed},
    follower::{Follower, Reactions, Route, follow},
    tail::Tail,
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
use pasar_types::id::FlowId;
use serde::{Deserialize, Serialize};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_seen",
    sql: "CREATE TABLE seen (sequence BIGINT NOT NULL, key TEXT NOT NULL)",
}];

#[derive(Serialize, Deserialize)]
struct Wanted {}

impl Event for Wanted {
    const TYPE: &'static str = "wanted.v1";
    const PUBLISHER: Service = Service::Orders;
}

#[derive(Serialize, Deserialize)]
struct Unwanted {}

impl Event for Unwanted {
    const TYPE: &'static str = "unwanted.v1";
    const PUBLISHER: Service = Service::Orders;
}

struct Noting;

impl Reactions for Noting {
    fn wants(&self, event_type: &str) -> bool {
        event_type == Wanted::TYPE
    }

    fn route(&self, _event: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::All)
    }

    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        context.execute(
            "INSERT INTO seen (sequence, key) VALUES (?1, ?2)",
            &[&event.sequence, &event.key],
        )?;
        Ok(())
    }
}

fn open(folder: &tempfile::TempDir, service: Service) -> Store {
    let path = folder.path().join(format!("{service}.db"));
    let ids = Arc::new(SystemIds::default());
    Store::open(StoreOptions::file(
        service,
        path,
        MIGRATIONS,
        Arc::new(SystemClock),
        ids,
    ))
    .unwrap()
}

async fn publish<E: Event + Send + Sync + 'static>(
    store: &Store,
    key: &'static str,
    version: i64,
    event: E,
) {
    let event = Arc::new(event);
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    store
        .write(LaneKey::ZERO, Class::Internal, cause, move |context| {
            context.emit(key, version, &*event)
        })
        .await
        .unwrap();
}

fn seen(store: &Store) -> Vec<i64> {
    store
        .read_now(|tx| tx.query_all("SELECT sequence FROM seen", &[], |row| row.get(0)))
        .unwrap()
}

fn start(tasks: &Tasks, publisher: &Store, follower: &Store) -> Follower {
    let feed = Arc::new(LocalFeed::new(publisher.clone())) as Arc<dyn Follow>;
    follow(
        tasks,
        Service::Orders,
        feed,
        follower.clone(),
        Arc::new(Noting),
    )
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it happens soon")
}

#[tokio::test]
async fn a_follower_takes_each_wanted_event_once_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let (orders, inventory) = (
        open(&folder, Service::Orders),
        open(&folder, Service::Inventory),
    );
    for version in 1..=300 {
        publish(&orders, "a", version, Wanted {}).await;
    }
    let tasks = Tasks::new();
    let follower = start(&tasks, &orders, &inventory);
    soon(follower.head_at_boot_reached()).await;
    assert_eq!(seen(&inventory).len(), 300);
    publish(&orders, "b", 1, Unwanted {}).await;
    publish(&orders, "a", 301, Wanted {}).await;
    soon(follower.caught_up_to(302)).await;
    assert_eq!(
        tasks.drain(Duration::from_secs(10)).await,
        Vec::<&str>::new()
    );

    publish(&orders, "a", 302, Wanted {}).await;
    let tasks = Tasks::new();
    let follower = start(&tasks, &orders, &inventory);
    soon(follower.head_at_boot_reached()).await;
    let expected: Vec<i64> = (1..=300).chain([302, 303]).collect();
    assert_eq!(seen(&inventory), expected);
    tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_position_past_unwanted_events_is_stored_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (orders, inventory) = (
        open(&folder, Service::Orders),
        open(&folder, Service::Inventory),
    );
    let tasks = Tasks::new();
    let follower = start(&tasks, &orders, &inventory);
    publish(&orders, "a", 1, Unwanted {}).await;
    soon(follower.caught_up_to(1)).await;
    let epoch = orders.epoch();
    soon(async {
        while inventory
            .begin_following(Service::Orders, epoch, None)
            .await
            .unwrap()
            .positions[0]
            .sequence
            < 1
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_watch_hears_its_key_alone_and_from_the_moment_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let orders = open(&folder, Service::Orders);
    let tasks = Tasks::new();
    let tail = Tail::spawn(&tasks, orders.clone());
    let mut watch = tail.watch("a");
    let mut all = tail.watch_all();
    publish(&orders, "b", 1, Wanted {}).await;
    publish(&orders, "a", 1, Unwanted {}).await;
    let changes = soon(watch.changed()).await;
    assert_eq!(
        changes
            .events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>(),
        [2]
    );
    let mut heard = 0;
    while heard < 2 {
        heard += soon(all.changed()).await.events.len();
    }
    tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_slow_watch_is_told_that_it_missed_something_and_holds_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let orders = open(&folder, Service::Orders);
    let tasks = Tasks::new();
    let tail = Tail::spawn(&tasks, orders.clone());
    let mut slow = tail.watch("a");
    let mut quick = tail.watch("z");
    for version in 1..=400 {
        publish(&orders, "a", version, Wanted {}).await;
    }
    publish(&orders, "z", 1, Wanted {}).await;
    soon(quick.changed()).await;
    let changes = soon(slow.changed()).await;
    assert!(changes.missed);
    assert!(changes.events.len() < 400);
    tasks.drain(Duration::from_secs(10)).await;
}
