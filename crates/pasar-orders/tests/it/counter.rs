//! A running service with a menu, and the feeds of inventory and payments to tell it things.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use pasar_chassis::identity::Identity;
use pasar_contracts::{
    event::{Event, Service},
    events::{
        inventory::{LocationChanged, ProductChanged, StockReserved, StockSold},
        orders::{OrderConfirmed, OrderPlaced, OrderStockSold},
        payments::{PaymentAuthorized, PaymentCaptured, PaymentDue, PaymentRef},
    },
};
use pasar_feed::follow::{Feeds, Follow};
use pasar_orders::{MIGRATIONS, config::Config};
use pasar_store::store::Store;
use pasar_testkit::{
    client::{Answer, Client},
    feed::FakeFeed,
    host::TestHost,
    identities::customer,
    probe::{Probe, soon},
};
use pasar_types::{
    id::{LocationId, OrderId, PaymentId, ReservationId},
    money::{Currency, Money, TaxRate},
};
use serde_json::{Value, json};

pub(crate) struct Counter {
    pub(crate) host: TestHost,
    pub(crate) client: Client,
    pub(crate) inventory: FakeFeed,
    pub(crate) payments: FakeFeed,
    pub(crate) store: Store,
    pub(crate) probe: Probe,
    keys: AtomicU32,
}

/// What a tea costs.
pub(crate) const TEA: i64 = 1_500_000;

pub(crate) fn here() -> LocationId {
    LocationId::from_bytes([1; 16])
}

pub(crate) fn idr(minor: i64) -> Money {
    Money::new(minor, Currency::IDR)
}

pub(crate) fn product(sku: &str, price: i64) -> ProductChanged {
    ProductChanged {
        sku: sku.parse().unwrap(),
        name: sku.to_owned(),
        names: BTreeMap::new(),
        price: idr(price),
        tax_rate: TaxRate::from_basis_points(1100).unwrap(),
        category: None,
        track_stock: true,
        orderable: true,
        sold_out_at: vec![],
    }
}

/// One tea by card.
pub(crate) fn tea() -> Value {
    json!({
        "lines": [{"sku": "tea", "quantity": 1}],
        "payment": {"method": "sandbox", "token": "tok_ok"},
    })
}

pub(crate) fn payment(order: OrderId) -> PaymentRef {
    PaymentRef {
        payment_id: PaymentId::from_bytes(*order.as_bytes()),
        order_id: order,
        location_id: here(),
    }
}

impl Counter {
    pub(crate) async fn open() -> Self {
        Self::open_with(Config::default()).await
    }

    pub(crate) async fn open_with(config: Config) -> Self {
        let payments = FakeFeed::new(Service::Payments);
        Self::open_on(TestHost::new(), menu(), payments, config).await
    }

    /// Two instances; the first has the duty.
    pub(crate) async fn open_two() -> [Self; 2] {
        let [first, second] = TestHost::several();
        let first = Self::open_on(
            first,
            menu(),
            FakeFeed::new(Service::Payments),
            Config::default(),
        )
        .await;
        let (inventory, payments) = (first.inventory.clone(), first.payments.clone());
        let second = Self::open_on(second, inventory, payments, Config::default()).await;
        [first, second]
    }

    async fn open_on(
        host: TestHost,
        inventory: FakeFeed,
        payments: FakeFeed,
        config: Config,
    ) -> Self {
        host.watch(Service::Orders, MIGRATIONS);
        let feeds = feeds(&inventory, &payments);
        let (client, store) = start(&host, &feeds, config).await;
        let counter = Self {
            probe: Probe::new(store.clone()),
            host,
            client,
            inventory,
            payments,
            store,
            keys: AtomicU32::new(0),
        };
        soon("the menu", counter.opened()).await;
        counter
    }

    /// Resolves once the location and what came with it is known.
    async fn opened(&self) {
        while self.client.get("/v1/board").send().await.status != 200 {
            self.a_while().await;
        }
    }

    /// The process ends and starts again on its data.
    pub(crate) async fn restart(self, feeds: Option<Feeds>) -> Self {
        self.restart_after(Duration::ZERO, feeds).await
    }

    pub(crate) async fn restart_after(mut self, down: Duration, feeds: Option<Feeds>) -> Self {
        self.host.drain().await;
        self.store.close();
        drop(self.client);
        self.host.advance(down);
        self.host.restart();
        let feeds = feeds.unwrap_or_else(|| self::feeds(&self.inventory, &self.payments));
        let (client, store) = start(&self.host, &feeds, Config::default()).await;
        Self {
            client,
            probe: Probe::new(store.clone()),
            store,
            ..self
        }
    }

    pub(crate) fn key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Places an order, a millisecond after the one before: ids of the same one have no order.
    pub(crate) async fn post_order(&self, who: Identity, body: &Value) -> Answer {
        self.host.advance(Duration::from_millis(1));
        let call = self.client.post("/v1/orders").as_(who).key(&self.key());
        call.json(body).send().await
    }

    pub(crate) async fn place(&self, who: Identity, body: &Value) -> OrderId {
        let answer = self.post_order(who, body).await.expect(201);
        answer.value()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A customer's order that is paid by card and confirmed.
    pub(crate) async fn confirmed(&mut self, who: Identity) -> OrderId {
        let id = self.place(who, &tea()).await;
        self.reserve(id);
        self.pay(id);
        self.probe.next_of::<OrderConfirmed>(&id.to_string()).await;
        self.sell(id);
        self.probe.next_of::<OrderStockSold>(&id.to_string()).await;
        id
    }

    /// A customer's cash order that is confirmed and unpaid.
    pub(crate) async fn due(&mut self, who: Identity) -> OrderId {
        let mut body = tea();
        body["payment"] = json!({"method": "cash"});
        let id = self.place(who, &body).await;
        self.reserve(id);
        let due = PaymentDue {
            payment: payment(id),
            amount: idr(TEA),
        };
        self.payments.push(&id.to_string(), 1, &due);
        self.probe.next_of::<OrderConfirmed>(&id.to_string()).await;
        id
    }

    pub(crate) fn reserve(&self, order: OrderId) {
        let reserved = StockReserved {
            order_id: order,
            location_id: here(),
            reservation_id: ReservationId::from_bytes(*order.as_bytes()),
            expires_at: self.inventory.now(),
        };
        self.inventory.push(&order.to_string(), 1, &reserved);
    }

    pub(crate) fn sell(&self, order: OrderId) {
        let sold = StockSold {
            order_id: order,
            location_id: here(),
            reservation_id: ReservationId::from_bytes(*order.as_bytes()),
        };
        self.inventory.push(&order.to_string(), 2, &sold);
    }

    pub(crate) fn authorize(&self, order: OrderId) {
        let authorized = PaymentAuthorized {
            payment: payment(order),
            amount: idr(TEA),
        };
        self.payments.push(&order.to_string(), 2, &authorized);
    }

    pub(crate) fn capture(&self, order: OrderId) {
        let captured = PaymentCaptured {
            payment: payment(order),
            amount: idr(TEA),
        };
        self.payments.push(&order.to_string(), 3, &captured);
    }

    pub(crate) fn pay(&self, order: OrderId) {
        self.authorize(order);
        self.capture(order);
    }

    pub(crate) async fn next<E: Event>(&mut self, order: OrderId) -> E {
        self.probe.next_of::<E>(&order.to_string()).await
    }

    pub(crate) async fn step(&self, who: Identity, order: OrderId, step: &str) -> Answer {
        let path = format!("/v1/orders/{order}/{step}");
        self.client.post(&path).as_(who).send().await
    }

    pub(crate) async fn cancel(&self, who: Identity, order: OrderId) -> Answer {
        let path = format!("/v1/orders/{order}/cancel");
        self.client
            .post(&path)
            .as_(who)
            .key(&self.key())
            .send()
            .await
    }

    pub(crate) async fn get(&self, who: Identity, order: OrderId) -> Answer {
        self.client
            .get(&format!("/v1/orders/{order}"))
            .as_(who)
            .send()
            .await
    }

    pub(crate) async fn state(&self, order: OrderId) -> String {
        let answer = self
            .get(pasar_testkit::identities::staff(), order)
            .await
            .expect(200);
        let order = answer.value();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{} {}",
            text(&order["state"]),
            text(&order["payment"]["state"])
        )
    }

    /// An answer that comes when the time has come: moves the clock second by second until it is there.
    pub(crate) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        soon("an answer", async {
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => return answer,
                    () = self.a_while() => self.host.advance(Duration::from_secs(1)),
                }
            }
        })
        .await
    }

    /// Lets everything else run that can.
    pub(crate) async fn a_while(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

/// What inventory tells of the location and of tea.
fn menu() -> FakeFeed {
    let inventory = FakeFeed::new(Service::Inventory);
    let here = LocationChanged {
        location_id: here(),
        name: "Kemang".to_owned(),
        time_zone: "Asia/Jakarta".to_owned(),
        cut_off_minutes: 240,
        currency: Currency::IDR,
        starts_unpaid: false,
        is_default: true,
    };
    inventory.push(&format!("location:{}", here.location_id), 1, &here);
    inventory.push("product:tea", 1, &product("tea", TEA));
    inventory
}

pub(crate) fn feeds(inventory: &FakeFeed, payments: &FakeFeed) -> Feeds {
    BTreeMap::from([
        (Service::Inventory, inventory.follow()),
        (Service::Payments, payments.follow()),
    ])
}

/// Feeds of which one cannot be reached.
pub(crate) fn with(feeds: Feeds, publisher: Service, other: impl Follow + 'static) -> Feeds {
    let mut feeds = feeds;
    feeds.insert(publisher, std::sync::Arc::new(other));
    feeds
}

async fn start(host: &TestHost, feeds: &Feeds, config: Config) -> (Client, Store) {
    let store = pasar_orders::open(&host.host).unwrap();
    let running = pasar_orders::start(&host.host, store.clone(), feeds, config)
        .await
        .unwrap();
    (Client::new(running.router), store)
}

/// Somebody who orders.
pub(crate) fn ann() -> Identity {
    customer(1)
}

pub(crate) fn ben() -> Identity {
    customer(2)
}

/// The id that an `order.placed` tells.
pub(crate) fn id_of(placed: &OrderPlaced) -> OrderId {
    placed.order.order_id
}
