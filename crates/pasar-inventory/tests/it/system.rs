//! A running inventory service with a feed of orders to follow and a clock to move.

mod clock;
mod consistency;
mod feed;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use pasar_chassis::{cause::Arrival, host::Host, identity::Identity, keyring::Keyring};
use pasar_contracts::{
    api::{orders::CancelReason, users::Role},
    event::{Event, Service},
    events::{
        inventory::ReservedLine,
        orders::{
            OrderCancelling, OrderConfirmed, OrderPlaced, OrderRef, OrderRefundRequested,
            PlacedLine,
        },
    },
};
use pasar_feed::follow::{Feeds, Follow};
use pasar_inventory::config::Config;
use pasar_store::{
    cause::{Actor, Cause},
    clock::Clock,
    feed::FeedEvent,
    ids::{Ids, SeededIds},
    lane::{Class, LaneKey},
    store::{Store, StoreOptions},
};
use pasar_testkit::client::Client;
use pasar_testkit::fresh::Folder;
use pasar_types::{
    id::{FlowId, LocationId, OrderId, RefundId, UserId},
    money::{Currency, Money, TaxRate},
    quantity::Quantity,
};
use serde_json::{Value, json};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

pub(crate) use self::consistency::assert_consistent;
use self::{clock::MovedClock, feed::GatedFeed};

/// The key of what a test tells.
const TOLD: &str = "told by the test";
/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct System {
    pub(crate) store: Store,
    pub(crate) orders: Store,
    pub(crate) feed: Arc<GatedFeed>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) here: LocationId,
    pub(crate) document: OpenApi,
    host: Host,
    router: Router,
    versions: Mutex<BTreeMap<&'static str, i64>>,
    folder: Arc<Folder>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl System {
    pub(crate) async fn start() -> Self {
        let folder = Arc::new(Folder::new());
        Self::start_in(folder, Arc::new(MovedClock::new()), 1).await
    }

    /// Ends the service and starts it again on the same databases.
    pub(crate) async fn restart(self) -> Self {
        self.host.tasks.drain(DEADLINE).await;
        self.store.close();
        self.orders.close();
        let (folder, clock) = (Arc::clone(&self.folder), Arc::clone(&self.clock));
        drop(self);
        Self::start_in(folder, clock, 2).await
    }

    async fn start_in(folder: Arc<Folder>, clock: Arc<MovedClock>, seed: u64) -> Self {
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(seed));
        let keyring = Keyring::ephemeral(&*ids);
        let host = Host {
            clock: Arc::clone(&clock) as _,
            sleeper: Arc::clone(&clock) as _,
            ids: Arc::clone(&ids),
            databases: folder.databases(),
            ..Host::system(folder.path(), keyring, "http://localhost")
        };
        let options = StoreOptions::at(
            Service::Orders,
            folder.place(Service::Orders),
            &[],
            Arc::clone(&clock) as _,
            ids,
        );
        let orders = Store::open(options).unwrap();
        let feed = Arc::new(GatedFeed::new(orders.clone()));
        let feeds = Feeds::from([(Service::Orders, Arc::clone(&feed) as Arc<dyn Follow>)]);
        let store = pasar_inventory::open(&host).unwrap();
        let running = pasar_inventory::start(&host, store.clone(), &feeds, Config::default())
            .await
            .unwrap();
        let here = store
            .read_now(|tx| tx.query_one("SELECT id FROM location", &[], |row| row.get(0)))
            .unwrap();
        Self {
            store,
            versions: Mutex::new(versions_in(&orders)),
            orders,
            feed,
            clock,
            here,
            document: running.openapi,
            host,
            router: running.router,
            folder,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Some(Role::Staff), None, &[])
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(Role::Admin), Some(body), &[])
            .await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        let headers = [("idempotency-key", key)];
        self.call(Method::POST, path, Some(Role::Admin), Some(body), &headers)
            .await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        role: Option<Role>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).unwrap();
        let arrival = Arrival::new(&*self.host.clock, &*self.host.ids, request.headers());
        request.extensions_mut().insert(arrival);
        if let Some(role) = role {
            let user = Identity::user(UserId::from_bytes([1; 16]), [role]);
            request.extensions_mut().insert(user);
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// For calls that are none of REST.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.router.clone())
    }

    pub(crate) async fn product(&self, sku: &str, track_stock: bool) {
        let body = json!({
            "name": sku,
            "price": { "amount_minor": 100, "currency": "IDR" },
            "track_stock": track_stock,
        });
        let answer = self.put(&format!("/v1/products/{sku}"), body).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    /// A counted product with so many units.
    pub(crate) async fn stocked(&self, sku: &str, units: i64) {
        self.product(sku, true).await;
        let path = format!("/v1/stock/{sku}/intakes");
        let answer = self
            .post(&path, &format!("first {sku}"), json!({ "quantity": units }))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// `[on_hand, reserved, available]`
    pub(crate) async fn level(&self, sku: &str) -> [i64; 3] {
        let body = self.get(&format!("/v1/stock/{sku}")).await.body;
        ["on_hand", "reserved", "available"].map(|field| body[field].as_i64().unwrap())
    }

    /// Tells something in the orders feed.
    pub(crate) async fn tell<E: Event + Send + Sync + 'static>(&self, event: E) {
        self.tell_as(TOLD, event).await;
    }

    /// The same under a key of its own, so that it is not parked behind others.
    pub(crate) async fn tell_as<E: Event + Send + Sync + 'static>(
        &self,
        key: &'static str,
        event: E,
    ) {
        let version = {
            let mut versions = self.versions.lock().unwrap();
            let version = versions.entry(key).or_default();
            *version += 1;
            *version
        };
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([7; 16]));
        self.orders
            .write(LaneKey::ZERO, Class::New, cause, move |ctx| {
                ctx.emit(key, version, &event)
            })
            .await
            .unwrap();
    }

    pub(crate) async fn place(&self, n: u8, lines: &[(&str, i64)]) {
        self.tell(self.placed(n, lines)).await;
    }

    pub(crate) fn placed(&self, n: u8, lines: &[(&str, i64)]) -> OrderPlaced {
        let price = Money::new(100, Currency::IDR);
        let line = |(sku, quantity): &(&str, i64)| PlacedLine {
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(*quantity).unwrap(),
            unit_price: price,
            tax_rate: TaxRate::default(),
            total: price,
        };
        OrderPlaced {
            order: self.order_ref(n),
            lines: lines.iter().map(line).collect(),
            total: price,
            method: "cash".to_owned(),
            deadline: self.clock.now() + Duration::from_secs(15 * 60),
        }
    }

    pub(crate) fn confirmed(&self, n: u8) -> OrderConfirmed {
        OrderConfirmed {
            order: self.order_ref(n),
            paid: true,
        }
    }

    pub(crate) fn cancelling(&self, n: u8, restock: bool) -> OrderCancelling {
        OrderCancelling {
            order: self.order_ref(n),
            reason: CancelReason::CancelledByStaff,
            restock,
            by_staff: true,
        }
    }

    pub(crate) fn refund(
        &self,
        n: u8,
        refund: u8,
        restock: &[(&str, i64)],
    ) -> OrderRefundRequested {
        let line = |(sku, quantity): &(&str, i64)| ReservedLine {
            sku: sku.parse().unwrap(),
            quantity: Quantity::new(*quantity).unwrap(),
        };
        OrderRefundRequested {
            order: self.order_ref(n),
            refund_id: RefundId::from_bytes([refund; 16]),
            amount: Money::new(100, Currency::IDR),
            restock: restock.iter().map(line).collect(),
            reason: "cold".to_owned(),
        }
    }

    fn order_ref(&self, n: u8) -> OrderRef {
        OrderRef {
            order_id: order(n),
            location_id: self.here,
            number: i64::from(n),
            customer_id: None,
        }
    }

    /// Waits until an event of this type about this order was told.
    pub(crate) async fn heard(&self, event_type: &str, n: u8) -> Arc<FeedEvent> {
        let key = order(n).to_string();
        self.until(&format!("{event_type} of order {n}"), |events| {
            events
                .iter()
                .find(|event| event.event_type == event_type && event.key == key)
                .cloned()
        })
        .await
    }

    /// Waits until what is looked for is found in all that inventory told.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        find: impl Fn(&[Arc<FeedEvent>]) -> Option<T>,
    ) -> T {
        let mut heads = self.store.heads();
        let search = async {
            loop {
                heads.borrow_and_update();
                if let Some(found) = find(&self.told()) {
                    return found;
                }
                heads.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, search)
            .await
            .unwrap_or_else(|_| panic!("not told in time: {what}"))
    }

    /// Waits until everything in the orders feed was taken: a marker behind it is answered.
    pub(crate) async fn all_taken(&self, marker: u8) {
        self.tell(self.cancelling(marker, false)).await;
        self.heard("stock.released.v1", marker).await;
    }

    pub(crate) fn told(&self) -> Vec<Arc<FeedEvent>> {
        self.store.events_after(0, 100_000).unwrap()
    }

    /// The types of what was told about an order, in order; versions must be 1..n.
    pub(crate) fn told_of(&self, n: u8) -> Vec<String> {
        let key = order(n).to_string();
        let mut types = Vec::new();
        for (version, event) in (1..).zip(self.told().iter().filter(|event| event.key == key)) {
            assert_eq!(event.keyversion, version, "{event:?}");
            types.push(event.event_type.clone());
        }
        types
    }

    /// Moves the clock and lets whatever waits for it go on.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub(crate) fn step_back(&self, span: Duration) {
        self.clock.step_back(span);
    }

    /// Waits until the attempts of the effects that are left are as looked for. Effects that end wake
    /// nobody, so this looks again and again, with a deadline.
    pub(crate) async fn effects_until(&self, what: &str, found: impl Fn(&[u32]) -> bool) {
        let search = async {
            loop {
                let effects = self.store.effects_after(0, 100).unwrap();
                let attempts: Vec<u32> = effects.iter().map(|effect| effect.attempts).collect();
                if found(&attempts) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, search).await;
        assert!(in_time.is_ok(), "the effect is not {what} in time");
    }

    /// What is in the store's own table of parked events.
    pub(crate) fn parked(&self) -> i64 {
        self.store
            .read_now(|tx| tx.query_one("SELECT COUNT(*) FROM parked", &[], |row| row.get(0)))
            .unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_consistent(&self.store);
        }
    }
}

pub(crate) fn order(n: u8) -> OrderId {
    OrderId::from_bytes([n; 16])
}

/// Where the versions of a feed's keys are. The test's keys are texts of this file's callers.
fn versions_in(orders: &Store) -> BTreeMap<&'static str, i64> {
    let told = orders.events_after(0, 100_000).unwrap();
    let count = told.iter().filter(|event| event.key == TOLD).count();
    BTreeMap::from([(TOLD, i64::try_from(count).unwrap())])
}
