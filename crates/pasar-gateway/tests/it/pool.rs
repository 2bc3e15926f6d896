//! Services in other processes: who is asked, what is asked again, and what of a client reaches them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use parking_lot::Mutex;
use pasar_chassis::{
    host::Host,
    identity::{ClientAddress, Identity},
    keyring::Keyring,
    service::Running,
};
use pasar_contracts::event::Service;
use pasar_store::ids::SystemIds;
use reqwest::{Client, Method, RequestBuilder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    elsewhere::{gateway, remote, serve_at},
    users::document,
};

const PATH: &str = "/v1/orders";

/// A gateway and what stands behind it.
struct Shop {
    _host: Host,
    address: SocketAddr,
    client: Client,
}

/// One instance of orders, in a process of its own as far as it can tell.
struct Instance {
    host: Host,
    address: SocketAddr,
    orders: Arc<Orders>,
}

struct Orders {
    name: &'static str,
    asked: AtomicUsize,
    mood: Mutex<Mood>,
}

#[derive(Clone, Copy)]
enum Mood {
    Well,
    Busy,
    Holds,
}

impl Instance {
    async fn start(keyring: &Keyring, name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_at(keyring, name, listener)
    }

    fn start_at(keyring: &Keyring, name: &'static str, listener: TcpListener) -> Self {
        let host = Host::system(".", keyring.clone(), "http://pasar.test");
        let orders = Arc::new(Orders {
            name,
            asked: AtomicUsize::new(0),
            mood: Mutex::new(Mood::Well),
        });
        let router = Router::new()
            .route(PATH, get(answer).post(answer))
            .route("/v1/orders/who", get(who))
            .with_state(Arc::clone(&orders));
        let running = Running {
            router,
            openapi: document("orders", &[PATH, "/v1/orders/who"]),
            grpc: &[],
        };
        let address = serve_at(&host, Service::Orders, running, listener);
        host.health.booted();
        Self {
            host,
            address,
            orders,
        }
    }

    fn asked(&self) -> usize {
        self.orders.asked.load(Relaxed)
    }

    fn set(&self, mood: Mood) {
        *self.orders.mood.lock() = mood;
    }

    /// Ends it as a rolling restart does, without a failed request.
    async fn stop(&self) {
        self.host.tasks.drain(Duration::from_secs(10)).await;
    }
}

async fn answer(State(orders): State<Arc<Orders>>) -> Response {
    orders.asked.fetch_add(1, Relaxed);
    let mood = *orders.mood.lock();
    match mood {
        Mood::Well => orders.name.into_response(),
        Mood::Busy => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Holds => {
            while matches!(*orders.mood.lock(), Mood::Holds) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            orders.name.into_response()
        }
    }
}

async fn who(identity: Identity, ClientAddress(address): ClientAddress) -> String {
    format!("{} {address:?}", identity.actor)
}

impl Shop {
    async fn start(keyring: &Keyring, addresses: &[SocketAddr]) -> Self {
        let (host, address) = gateway(keyring, remote(Service::Orders, addresses)).await;
        Self {
            _host: host,
            address,
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    async fn get(&self) -> (u16, String) {
        self.ask(self.request(Method::GET, PATH)).await
    }

    async fn ask(&self, request: RequestBuilder) -> (u16, String) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    }
}

fn keyring() -> Keyring {
    Keyring::ephemeral(&SystemIds::default())
}

async fn two() -> (Shop, Instance, Instance) {
    let keyring = keyring();
    let one = Instance::start(&keyring, "one").await;
    let other = Instance::start(&keyring, "other").await;
    let shop = Shop::start(&keyring, &[one.address, other.address]).await;
    // Both have been found well.
    let begun = std::time::Instant::now();
    while one.asked() == 0 || other.asked() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "both are asked");
        assert_eq!(shop.get().await.0, 200);
    }
    (shop, one, other)
}

#[tokio::test]
async fn the_instance_with_less_to_do_is_asked() {
    let (shop, one, other) = two().await;
    one.set(Mood::Holds);
    let shop = Arc::new(shop);
    let mut held = Vec::new();
    let before = one.asked();
    while one.asked() == before {
        let shop = Arc::clone(&shop);
        held.push(tokio::spawn(async move { shop.get().await }));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (of_one, of_other) = (one.asked(), other.asked());
    for _ in 0..20 {
        assert_eq!(shop.get().await, (200, "other".to_owned()));
    }
    assert_eq!((one.asked(), other.asked()), (of_one, of_other + 20));
    one.set(Mood::Well);
    for request in held {
        assert_eq!(request.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn what_may_happen_twice_is_asked_of_another_instance_and_nothing_else() {
    let (shop, one, other) = two().await;
    one.set(Mood::Busy);
    for _ in 0..6 {
        assert_eq!(shop.get().await, (200, "other".to_owned()));
        let keyed = shop
            .request(Method::POST, PATH)
            .header("idempotency-key", "a")
            .body("{}");
        assert_eq!(shop.ask(keyed).await.0, 200);
    }
    let (before, of_other) = (one.asked(), other.asked());
    let mut refused = 0;
    for _ in 0..6 {
        let (status, _) = shop.ask(shop.request(Method::POST, PATH).body("{}")).await;
        refused += usize::from(status == 503);
    }
    assert!(refused > 0, "the busy instance was never asked");
    assert_eq!(one.asked() - before, refused);
    assert_eq!(other.asked() - of_other, 6 - refused);
}

#[tokio::test]
async fn retries_are_a_tenth_of_the_requests_and_not_more() {
    let (shop, one, other) = two().await;
    one.set(Mood::Busy);
    other.set(Mood::Busy);
    let before = one.asked() + other.asked();
    let requests = 300;
    for _ in 0..requests {
        assert_eq!(shop.get().await.0, 503);
    }
    let retried = one.asked() + other.asked() - before - requests;
    // Ten were saved up.
    assert!((11..=41).contains(&retried), "{retried} retries");
}

/// Says that it is well, and breaks the connection of whatever it is asked. Counts what it was asked to do.
async fn dying_instance(asked: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut head = vec![0; 4_096];
                let read = socket.read(&mut head).await.unwrap_or(0);
                if head[..read].starts_with(b"GET /readyz ") {
                    let well = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = socket.write_all(well).await;
                } else if head.starts_with(b"POST ") {
                    asked.fetch_add(1, Relaxed);
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_request_that_broke_off_is_not_repeated_unless_it_may_happen_twice() {
    let keyring = keyring();
    let well = Instance::start(&keyring, "well").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let dying = dying_instance(Arc::clone(&asked)).await;
    let shop = Shop::start(&keyring, &[dying, well.address]).await;
    // Reads never fail for it, until it is found out.
    for _ in 0..20 {
        assert_eq!(shop.get().await, (200, "well".to_owned()));
    }
    loop {
        let (before, of_well) = (asked.load(Relaxed), well.asked());
        let (status, body) = shop.ask(shop.request(Method::POST, PATH).body("{}")).await;
        if asked.load(Relaxed) == before {
            assert_eq!(status, 200);
            continue;
        }
        assert_eq!(status, 503);
        assert!(body.contains("Idempotency-Key"), "{body}");
        assert_eq!(well.asked(), of_well, "it was repeated");
        break;
    }
}

/// A client cannot make an instance look ill.
#[tokio::test]
async fn a_body_that_breaks_off_is_its_clients_fault() {
    let (shop, one, other) = two().await;
    for _ in 0..12 {
        let mut socket = TcpStream::connect(shop.address).await.unwrap();
        let request = "POST /v1/orders HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1_024];
        let read = socket.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let before = (one.asked(), other.asked());
    for _ in 0..10 {
        assert_eq!(shop.get().await.0, 200);
    }
    assert!(one.asked() > before.0 && other.asked() > before.1);
}

#[tokio::test]
async fn a_draining_instance_gets_no_new_work_and_no_request_fails_when_it_ends() {
    let (shop, one, other) = two().await;
    one.host.health.winds_down();
    let mut before = one.asked();
    let mut quiet = 0;
    // It still takes what comes until the gateway has noticed.
    while quiet < 40 {
        assert_eq!(shop.get().await.0, 200);
        quiet = if one.asked() == before { quiet + 1 } else { 0 };
        before = one.asked();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    one.stop().await;
    for _ in 0..50 {
        assert_eq!(shop.get().await, (200, "other".to_owned()));
    }
    assert!(other.asked() > 50);
}

#[tokio::test]
async fn an_instance_that_is_gone_fails_no_read_and_is_used_again_when_it_is_back() {
    let keyring = keyring();
    let one = Instance::start(&keyring, "one").await;
    let other = Instance::start(&keyring, "other").await;
    let shop = Shop::start(&keyring, &[one.address, other.address]).await;
    one.stop().await;
    for _ in 0..100 {
        assert_eq!(shop.get().await, (200, "other".to_owned()));
    }
    let listener = TcpListener::bind(one.address).await.unwrap();
    let again = Instance::start_at(&keyring, "again", listener);
    let begun = std::time::Instant::now();
    while again.asked() == 0 {
        assert_eq!(shop.get().await.0, 200);
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not asked");
    }
}

#[tokio::test]
async fn a_service_that_comes_up_late_is_learnt_of_and_before_that_nothing_is_denied() {
    let keyring = keyring();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let shop = Shop::start(&keyring, &[address]).await;
    assert_eq!(shop.get().await.0, 503, "it may exist");
    let listener = TcpListener::bind(address).await.unwrap();
    let instance = Instance::start_at(&keyring, "late", listener);
    let begun = std::time::Instant::now();
    while shop.get().await.0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is not found");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let nothing = shop.request(Method::GET, "/v1/nothing");
    assert_eq!(shop.ask(nothing).await.0, 404);
    let document = shop.ask(shop.request(Method::GET, "/openapi.json")).await.1;
    assert!(document.contains("/v1/orders/who"), "{document}");
    // What it said is kept while it is away.
    instance.stop().await;
    assert_eq!(shop.get().await.0, 503);
}

#[tokio::test]
async fn a_service_sees_who_the_gateway_says_and_not_who_the_client_claims() {
    let (shop, ..) = two().await;
    let forged = shop
        .request(Method::GET, "/v1/orders/who")
        .header("x-pasar-identity", "v1.e30.e30");
    let (status, who) = shop.ask(forged).await;
    assert_eq!(status, 200);
    assert_eq!(who, "anonymous Some(127.0.0.1)");
}

#[tokio::test]
async fn a_gateway_with_another_keyring_is_refused_and_says_unavailable() {
    let instance = Instance::start(&keyring(), "one").await;
    let shop = Shop::start(&keyring(), &[instance.address]).await;
    let (status, body) = shop.get().await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(instance.asked(), 0);
}
