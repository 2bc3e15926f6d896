//! A running relay that follows an orders feed, with clients to post and listen.

use std::time::Duration;

use pasar_chassis::identity::Identity;
use pasar_contracts::{
    api::users::Role,
    event::{Event, Service},
    events::orders::{OrderReady, OrderRef},
};
use pasar_feed::follow::Feeds;
use pasar_relay::config::Config;
use pasar_store::{
    cause::{Actor, Cause},
    lane::{Class, LaneKey},
    store::Store,
};
use pasar_testkit::{
    client::{Call, Client},
    feed::FakeFeed,
    host::TestHost,
    identities::{admin, customer},
    sse::{EventStream, SseEvent},
};
use pasar_types::id::{FlowId, LocationId, OrderId};
use serde_json::{Value, json};

pub(crate) struct System {
    pub(crate) host: TestHost,
    pub(crate) store: Store,
    pub(crate) client: Client,
    orders: FakeFeed,
    config: Config,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let host = TestHost::new();
        host.watch(Service::Relay, pasar_relay::MIGRATIONS);
        Self::start_on(host, FakeFeed::new(Service::Orders), config).await
    }

    async fn start_on(host: TestHost, orders: FakeFeed, config: Config) -> Self {
        let store = pasar_relay::open(&host.host).unwrap();
        let feeds = Feeds::from([(Service::Orders, orders.follow())]);
        let running = pasar_relay::start(&host.host, store.clone(), &feeds, config.clone())
            .await
            .unwrap();
        let router = pasar_chassis::problem::with_fallbacks(running.router);
        Self {
            host,
            store,
            client: Client::new(router),
            orders,
            config,
        }
    }

    /// Ends the relay and starts it again on the same data.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        self.host.restart();
        Self::start_on(self.host, self.orders, self.config).await
    }

    pub(crate) async fn stop(&self) {
        self.host.drain().await;
        self.store.close();
    }

    /// Posts a message to `client`; its data is the number.
    pub(crate) async fn post(&self, number: u64) {
        self.post_to("client", "message", &json!(number)).await;
    }

    pub(crate) async fn post_to(&self, topic: &str, kind: &str, data: &Value) {
        let message = json!({"topic": topic, "type": kind, "data": data});
        let call = self.client.post("/v1/messages").as_(admin()).json(&message);
        call.send().await.expect(202);
    }

    /// Tells of an order of a customer.
    pub(crate) fn order_ready(&self, customer_number: u8, number: i64) {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        let order_id = OrderId::from_bytes(id);
        let ready = OrderReady {
            order: OrderRef {
                order_id,
                location_id: LocationId::from_bytes([1; 16]),
                number,
                customer_id: customer(customer_number).user_id(),
            },
        };
        self.orders.push(&order_id.to_string(), 1, &ready);
        assert_eq!(OrderReady::TYPE, "order.ready.v1");
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.client.get(path).as_(admin())
    }

    pub(crate) async fn listen(&self, path: &str) -> EventStream {
        self.get(path).stream().await
    }

    pub(crate) async fn resume(&self, path: &str, id: &str) -> EventStream {
        self.get(path).header("last-event-id", id).stream().await
    }

    /// Takes the oldest messages away, as retention does.
    pub(crate) async fn trim(&self, first: i64) {
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
        self.store
            .write(LaneKey::ZERO, Class::Internal, cause, move |ctx| {
                ctx.execute("DELETE FROM message WHERE position < ?1", &[&first])?;
                ctx.execute("UPDATE log SET first = ?1", &[&first])
            })
            .await
            .unwrap();
    }
}

/// An API key's identity with scopes and no role.
pub(crate) fn key(scopes: &[&str]) -> Identity {
    let mut identity = Identity::user(customer(9).user_id().unwrap(), [Role::Integrator]);
    identity.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    identity
}

/// The position and the data of an event of format `data`.
pub(crate) fn told(event: &SseEvent) -> (i64, Value) {
    (event.id.as_deref().unwrap().parse().unwrap(), event.json())
}

pub(crate) const A_HEARTBEAT: Duration = Duration::from_secs(15);
