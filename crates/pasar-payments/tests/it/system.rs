//! The service under test, between orders' feed and a provider that are both in the test's hand.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use pasar_chassis::{
    service::Running,
    signature::{self, Secret},
};
use pasar_contracts::{
    api::{
        orders::CancelReason,
        payments::{PaymentDetail, PaymentState, ProviderNotice},
    },
    event::{Event, Service},
    events::orders::{
        OrderCancelling, OrderPlaced, OrderRef, OrderRefundRequested, OrderSecured, PaymentToken,
    },
};
use pasar_feed::follow::Feeds;
use pasar_payments::{
    MIGRATIONS, config::Config, methods::Methods, payment::payment_of, provider::Provider,
};
use pasar_store::{feed::FeedEvent, store::Store};
use pasar_testkit::{
    client::{Answer, Client},
    feed::FakeFeed,
    host::TestHost,
    identities,
    probe::{Probe, soon},
};
use pasar_types::{
    id::{LocationId, OrderId, PaymentId, RefundId},
    money::{Currency, Money},
};

use crate::fake_provider::FakeProvider;

/// The provider's name as an order's method.
pub(crate) const FAKE: &str = "fake";
pub(crate) const TOTAL_MINOR: i64 = 2_500_000;
pub(crate) const LOCATION: LocationId = LocationId::from_bytes([2; 16]);

pub(crate) struct System {
    pub(crate) test: TestHost,
    pub(crate) orders: FakeFeed,
    pub(crate) provider: Arc<FakeProvider>,
    pub(crate) store: Store,
    pub(crate) client: Client,
    config: Config,
}

/// One order as orders would tell of it.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) payment: PaymentId,
}

pub(crate) const fn order(number: u8) -> Order {
    let id = OrderId::from_bytes([number; 16]);
    Order {
        id,
        payment: payment_of(id),
    }
}

pub(crate) const fn idr(minor: i64) -> Money {
    Money::new(minor, Currency::IDR)
}

pub(crate) fn secret() -> Secret {
    Secret::from_bytes(&[7; 32]).unwrap()
}

impl Order {
    pub(crate) fn key(self) -> String {
        self.id.to_string()
    }

    fn reference(self) -> OrderRef {
        OrderRef {
            order_id: self.id,
            location_id: LOCATION,
            number: 1,
            customer_id: None,
        }
    }
}

impl System {
    pub(crate) fn start() -> Self {
        let test = TestHost::new();
        let orders = FakeFeed::on_clock(Service::Orders, Arc::clone(&test.clock) as _);
        Self::start_on(test, orders, Arc::default())
    }

    /// Two instances, with one provider; the first is on duty.
    pub(crate) async fn two() -> [Self; 2] {
        let [first, second] = TestHost::several();
        let orders = FakeFeed::on_clock(Service::Orders, Arc::clone(&first.clock) as _);
        let first = Self::start_on(first, orders.clone(), Arc::default());
        soon("a duty", async {
            while first.store.lease("background").await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let second = Self::start_on(second, orders, Arc::clone(&first.provider));
        [first, second]
    }

    fn start_on(test: TestHost, orders: FakeFeed, provider: Arc<FakeProvider>) -> Self {
        let store = pasar_payments::open(&test.host).unwrap();
        test.watch(Service::Payments, MIGRATIONS);
        let config = Config::default();
        let running = run(&test, &store, &orders, &provider, &config);
        Self {
            client: Client::new(running.router),
            test,
            orders,
            provider,
            store,
            config,
        }
    }

    /// Ends all tasks, as a process does, and starts again on the same data.
    pub(crate) async fn restart(&mut self) {
        self.test.drain().await;
        self.test.restart();
        let running = run(
            &self.test,
            &self.store,
            &self.orders,
            &self.provider,
            &self.config,
        );
        self.client = Client::new(running.router);
    }

    pub(crate) fn place(&self, order: Order, token: &str) -> Arc<FeedEvent> {
        self.place_by(order, FAKE, token)
    }

    pub(crate) fn place_by(&self, order: Order, method: &str, token: &str) -> Arc<FeedEvent> {
        let placed = OrderPlaced {
            order: order.reference(),
            lines: Vec::new(),
            total: idr(TOTAL_MINOR),
            method: method.to_owned(),
            deadline: self.orders.now() + Duration::from_secs(900),
        };
        let token = PaymentToken {
            token: token.to_owned(),
        };
        self.orders.push_private(&order.key(), 1, &placed, &token)
    }

    pub(crate) fn secure(&self, order: Order) -> Arc<FeedEvent> {
        let event = OrderSecured {
            order: order.reference(),
        };
        self.orders.push(&order.key(), 2, &event)
    }

    pub(crate) fn cancel(&self, order: Order, by_staff: bool) -> Arc<FeedEvent> {
        let event = OrderCancelling {
            order: order.reference(),
            reason: CancelReason::CancelledByCustomer,
            restock: false,
            by_staff,
        };
        self.orders.push(&order.key(), 3, &event)
    }

    pub(crate) fn refund(&self, order: Order, number: u8, minor: i64) -> RefundId {
        let refund_id = RefundId::from_bytes([number; 16]);
        let event = OrderRefundRequested {
            order: order.reference(),
            refund_id,
            amount: idr(minor),
            restock: Vec::new(),
            reason: "cold".to_owned(),
        };
        self.orders.push(&order.key(), 4, &event);
        refund_id
    }

    /// Places and secures an order and waits until its money is taken.
    pub(crate) async fn captured(&self, order: Order) {
        self.place(order, "tok_ok");
        self.reach(order, PaymentState::Authorized).await;
        self.secure(order);
        self.reach(order, PaymentState::Captured).await;
    }

    pub(crate) async fn next<E: Event>(&self, order: Order) -> E {
        self.passing(Probe::new(self.store.clone()).next_of::<E>(&order.key()))
            .await
    }

    /// Waits until a payment is in a state and nothing of it is in flight.
    pub(crate) async fn reach(&self, order: Order, state: PaymentState) -> PaymentDetail {
        let what = format!("{state}");
        self.when(order, &what, |payment| {
            payment.payment.state == state && payment.payment.in_flight.is_none()
        })
        .await
    }

    pub(crate) async fn when(
        &self,
        order: Order,
        what: &str,
        is: impl Fn(&PaymentDetail) -> bool,
    ) -> PaymentDetail {
        let look = async {
            loop {
                let answer = self.get(&format!("/v1/payments/{}", order.payment)).await;
                if answer.status == 200 && is(&answer.json()) {
                    return answer.json();
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        self.passing(soon(what, look)).await
    }

    /// Waits for something while the clock runs five hundred times faster.
    pub(crate) async fn passing<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::pin!(future);
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                value = &mut future => return value,
                _ = tick.tick() => self.test.advance(Duration::from_secs(5)),
            }
        }
    }

    /// Waits until the follower has taken everything that orders published.
    pub(crate) async fn caught_up(&self) {
        let position = || {
            self.store.read_now(|tx| {
                tx.query_opt(
                    "SELECT sequence FROM follower_position WHERE publisher = 'orders'",
                    &[],
                    |row| row.get::<i64>(0),
                )
            })
        };
        let look = async {
            while position().unwrap() != Some(self.orders.head()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("orders' feed is read to its head", look).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.client.get(path).as_(identities::staff()).send().await
    }

    /// The provider tells something, under an id of its own.
    pub(crate) async fn notify(&self, id: &str, notice: &ProviderNotice) -> Answer {
        let body = serde_json::to_vec(notice).unwrap();
        let now = self.orders.now();
        self.client
            .post(&format!("/v1/payments/webhooks/{FAKE}"))
            .header(signature::ID, id)
            .header(signature::TIMESTAMP, &signature::seconds(now).to_string())
            .header(
                signature::SIGNATURE,
                &signature::sign(&secret(), id, now, &body),
            )
            .body(body)
            .send()
            .await
    }

    /// The types of an order's payment events, in order; their versions must be contiguous.
    pub(crate) fn events(&self, order: Order) -> Vec<String> {
        let events = self.store.events_of(&order.key(), 0, 100).unwrap();
        for (event, version) in events.iter().zip(1..) {
            assert_eq!(event.keyversion, version, "{}", event.event_type);
        }
        events
            .iter()
            .map(|event| event.event_type.replace("payment.", "").replace(".v1", ""))
            .collect()
    }

    /// All accounts in IDR. The books must balance.
    pub(crate) async fn balances(&self) -> BTreeMap<String, i64> {
        let answer = self.get("/v1/ledger/balances").await.expect(200);
        let balances: pasar_contracts::api::payments::Balances = answer.json();
        let balances: BTreeMap<_, _> = balances
            .items
            .into_iter()
            .map(|item| (item.account, item.balance.amount_minor))
            .collect();
        assert_eq!(balances.values().sum::<i64>(), 0, "{balances:?}");
        balances
    }
}

fn run(
    test: &TestHost,
    store: &Store,
    orders: &FakeFeed,
    provider: &Arc<FakeProvider>,
    config: &Config,
) -> Running {
    let feeds: Feeds = BTreeMap::from([(Service::Orders, orders.follow())]);
    let provider = Arc::clone(provider) as Arc<dyn Provider>;
    let methods = Methods::of(true, [(FAKE.to_owned(), provider, vec![secret()])]);
    pasar_payments::start_with(&test.host, store.clone(), &feeds, config, methods).unwrap()
}
