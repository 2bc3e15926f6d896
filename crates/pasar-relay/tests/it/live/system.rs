//! A running relay that follows an orders feed, with clients to post and listen.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use pasar_chassis::{
    handover::{HandsOver, TakesOver},
    identity::{ClientAddress, Identity},
};
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
use pasar_types::id::{ApiKeyId, FlowId, LocationId, OrderId};
use serde_json::{Value, json};
use tokio::{io::DuplexStream, sync::oneshot, task::JoinHandle};
use tower::ServiceExt;

use super::web_socket::WebSocket;

pub(crate) struct System {
    pub(crate) host: TestHost,
    pub(crate) store: Store,
    pub(crate) client: Client,
    router: Router,
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

    /// Two instances of one relay on the same data.
    pub(crate) async fn two() -> [Self; 2] {
        let [first, second] = TestHost::several();
        let begin = |host| Self::start_on(host, FakeFeed::new(Service::Orders), Config::default());
        [begin(first).await, begin(second).await]
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
            client: Client::new(router.clone()),
            router,
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

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
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

    /// Calls as the gateway would that hands sockets over; answers the head and the client's end of the
    /// socket, with what ends the credentials when it is dropped.
    pub(crate) async fn hand_over(
        &self,
        request: Request<Body>,
        identity: Identity,
    ) -> (Response<Body>, Option<Handed>) {
        let mut request = request;
        let extensions = request.extensions_mut();
        extensions.insert(HandsOver(true));
        extensions.insert(ClientAddress(Some([127, 0, 0, 1].into())));
        extensions.insert(identity);
        let Ok(mut response) = self.router.clone().oneshot(request).await;
        let handed = TakesOver::of(&mut response).map(|takes_over| {
            let (ours, theirs) = tokio::io::duplex(SOCKET_BYTES);
            let (credentials, ended) = oneshot::channel::<()>();
            let ended = Box::pin(async move {
                let _ = ended.await;
            });
            let task = tokio::spawn(takes_over.run(Box::new(theirs), ended));
            Handed {
                socket: ours,
                credentials,
                task,
            }
        });
        (response, handed)
    }

    /// An open WebSocket.
    pub(crate) async fn web_socket(&self, identity: Identity) -> WebSocket {
        let request = Request::get("/v1/ws")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Body::empty())
            .unwrap();
        let (response, handed) = self.hand_over(request, identity).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        WebSocket::new(handed.unwrap()).await
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

/// The client's end of a socket that was handed over.
pub(crate) struct Handed {
    pub(crate) socket: DuplexStream,
    pub(crate) credentials: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<()>,
}

/// What the sockets of tests hold in each direction.
const SOCKET_BYTES: usize = 16 * 1024;

/// An API key's identity with scopes and no role.
pub(crate) fn key(scopes: &[&str]) -> Identity {
    let owner = customer(9).user_id().unwrap();
    let mut identity = Identity::user(owner, [Role::Integrator]);
    let key = ApiKeyId::from_bytes([9; 16]);
    identity.actor = Actor::ApiKey { key, owner };
    identity.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
    identity
}

/// The position and the data of an event of format `data`.
pub(crate) fn told(event: &SseEvent) -> (i64, Value) {
    (event.id.as_deref().unwrap().parse().unwrap(), event.json())
}

pub(crate) const A_HEARTBEAT: Duration = Duration::from_secs(15);
