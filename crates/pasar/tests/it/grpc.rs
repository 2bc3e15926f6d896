//! gRPC through the gateway of the real program, by a client library, beside REST.

mod probes;
mod roles;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use pasar_contracts::grpc::{
    inventory::{
        GetStockRequest, Movement, Product, PutProductRequest, ReceiveStockRequest, StockLevel,
    },
    orders::{
        GetOrderRequest, Item, MoveOrderRequest, Order, OrderChange, OrderState, PaymentMethod,
        PlaceOrderRequest, WatchOrderRequest,
    },
    types::{Money, PaymentState},
    users::MeRequest,
};
use pasar_testkit::probe::soon;
use prost::Message;
use serde_json::json;
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{
    api::{fresh_key, order_of},
    system::System,
};

/// Calls in one role.
#[derive(Clone)]
struct Client {
    channel: Channel,
    key: Option<String>,
}

impl Client {
    fn new(system: &System, role: Option<&str>) -> Self {
        Self {
            key: role.map(|role| system.folder().key(role)),
            ..Self::at(system.url())
        }
    }

    /// Without credentials.
    fn at(url: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        Self {
            channel: endpoint.connect_lazy(),
            key: None,
        }
    }

    fn request<M>(&self, message: M, idempotency_key: &str) -> Request<M> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("idempotency-key", idempotency_key.parse().unwrap());
        if let Some(key) = &self.key {
            metadata.insert("authorization", format!("Bearer {key}").parse().unwrap());
        }
        request
    }

    async fn send<M, R>(&self, path: &str, request: Request<M>) -> Result<R, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        soon("a connection", grpc.ready()).await.unwrap();
        let path = PathAndQuery::try_from(path).unwrap();
        let codec: ProstCodec<M, R> = ProstCodec::default();
        Ok(grpc.unary(request, path, codec).await?.into_inner())
    }

    async fn call<M, R>(&self, path: &str, message: M) -> Result<R, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        self.send(path, self.request(message, &fresh_key())).await
    }

    async fn follow<M, R>(&self, path: &str, message: M) -> Result<Streaming<R>, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        soon("a connection", grpc.ready()).await.unwrap();
        let path = PathAndQuery::try_from(path).unwrap();
        let codec: ProstCodec<M, R> = ProstCodec::default();
        let request = self.request(message, "unused");
        let answer = grpc.server_streaming(request, path, codec).await?;
        Ok(answer.into_inner())
    }
}

fn orders(method: &str) -> String {
    format!("/pasar.orders.v1.Orders/{method}")
}

fn inventory(method: &str) -> String {
    format!("/pasar.inventory.v1.Inventory/{method}")
}

fn order(sku: &str, quantity: i64) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![Item {
            sku: sku.to_owned(),
            quantity,
        }],
        payment: Some(PaymentMethod {
            method: "sandbox".to_owned(),
            token: "tok_ok".to_owned(),
        }),
        wait_seconds: 30,
        ..PlaceOrderRequest::default()
    }
}

fn step(id: &str) -> MoveOrderRequest {
    MoveOrderRequest {
        id: id.to_owned(),
        version: None,
    }
}

fn product(sku: &str) -> PutProductRequest {
    PutProductRequest {
        sku: sku.to_owned(),
        name: sku.to_owned(),
        price: Some(Money {
            amount_minor: 1_500_000,
            currency: "IDR".to_owned(),
        }),
        ..PutProductRequest::default()
    }
}

fn intake(sku: &str, quantity: i64) -> ReceiveStockRequest {
    ReceiveStockRequest {
        sku: sku.to_owned(),
        quantity,
        ..ReceiveStockRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_the_menu_to_the_counter_over_grpc_alone() {
    let system = System::start();
    let staff = Client::new(&system, Some("STAFF"));
    let customer = Client::new(&system, Some("CUSTOMER"));
    let put: Product = staff
        .call(&inventory("PutProduct"), product("grpc-tea"))
        .await
        .unwrap();
    assert_eq!(put.version, 1);
    let received: Movement = staff
        .call(&inventory("ReceiveStock"), intake("grpc-tea", 10))
        .await
        .unwrap();
    assert_eq!(received.on_hand, 10);
    let placed: Order = customer
        .call(&orders("PlaceOrder"), order("grpc-tea", 2))
        .await
        .unwrap();
    assert_eq!(placed.state(), OrderState::Confirmed);
    let payment = placed.payment.as_ref().unwrap();
    assert_eq!(payment.state(), PaymentState::Captured);

    let watch = WatchOrderRequest {
        id: placed.id.clone(),
        after_version: placed.version,
    };
    let mut changes: Streaming<OrderChange> =
        customer.follow(&orders("WatchOrder"), watch).await.unwrap();
    for (method, state) in [
        ("Start", OrderState::Preparing),
        ("Ready", OrderState::Ready),
        ("Collect", OrderState::Collected),
    ] {
        let moved: Order = staff.call(&orders(method), step(&placed.id)).await.unwrap();
        assert_eq!(moved.state(), state);
        loop {
            let change = soon("a change", changes.message()).await.unwrap().unwrap();
            if change.state() == state {
                break;
            }
        }
    }
    // The stream ends by itself, and well.
    while soon("the end", changes.message()).await.unwrap().is_some() {}
    system.quiet().await;
    let level: StockLevel = staff
        .call(
            &inventory("GetStock"),
            GetStockRequest {
                sku: "grpc-tea".to_owned(),
                ..GetStockRequest::default()
            },
        )
        .await
        .unwrap();
    assert_eq!((level.on_hand, level.reserved), (8, 0));
}

/// Invariant 8: one effect per actor, command and key, whatever way it comes.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_duplicates_over_rest_and_grpc_are_one_order() {
    let system = System::start();
    let (customer, rest) = (
        Client::new(&system, Some("CUSTOMER")),
        system.api("CUSTOMER"),
    );
    system.api("STAFF").product("twin-tea", 100).await;
    let mut rounds = 0;
    for _ in 0..10 {
        let key = fresh_key();
        let body = order_of(&[("twin-tea", 1)], "tok_ok");
        let over_grpc = join_all((0..8).map(|_| {
            let request = customer.request(order("twin-tea", 1), &key);
            customer.send::<_, Order>("/pasar.orders.v1.Orders/PlaceOrder", request)
        }));
        let over_rest = join_all((0..8).map(|_| rest.post_again("/v1/orders", &key, &body)));
        let (over_grpc, over_rest) = tokio::join!(over_grpc, over_rest);
        let mut ids: BTreeSet<String> = over_grpc
            .into_iter()
            .map(|order| order.unwrap().id)
            .collect();
        for answer in over_rest {
            let placed = answer.expect(201);
            ids.insert(placed["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
        rounds += 1;
    }
    assert_eq!(rounds, 10);
    system.quiet().await;
    assert_eq!(system.api("STAFF").stock("twin-tea").await, (90, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_rest_says() {
    let system = System::start();
    let customer = Client::new(&system, Some("CUSTOMER"));
    let refused = customer
        .call::<_, Order>(&orders("PlaceOrder"), order("no-such-tea", 1))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let metadata = refused.metadata();
    assert_eq!(metadata.get("pasar-problem").unwrap(), "unknown-sku");
    let document = metadata.get_bin("pasar-problem-bin").unwrap();
    let document: serde_json::Value =
        serde_json::from_slice(&document.to_bytes().unwrap()).unwrap();
    assert_eq!(document["skus"], json!(["no-such-tea"]));
    assert_eq!(document["status"], 422);

    let mut wrong = customer.request(order("no-such-tea", 1), "k");
    wrong
        .metadata_mut()
        .insert("authorization", "Bearer nonsense".parse().unwrap());
    let refused = customer
        .send::<_, Order>(&orders("PlaceOrder"), wrong)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = customer
        .call::<_, Order>(&orders("NoSuchMethod"), MeRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let large = PlaceOrderRequest {
        note: "x".repeat(3 * 1024 * 1024),
        ..order("no-such-tea", 1)
    };
    let refused = customer
        .call::<_, Order>(&orders("PlaceOrder"), large)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_call_and_a_stream() {
    let system = System::start();
    let customer = Client::new(&system, Some("CUSTOMER"));
    system.api("STAFF").product("late-tea", 1).await;
    let placed: Order = customer
        .call(&orders("PlaceOrder"), order("late-tea", 1))
        .await
        .unwrap();
    // Everything of it has happened: nothing changes any more.
    system.quiet().await;
    let get = |known_version, wait_seconds| GetOrderRequest {
        id: placed.id.clone(),
        known_version,
        wait_seconds,
    };
    let now: Order = customer
        .call(&orders("GetOrder"), get(None, 0))
        .await
        .unwrap();
    let mut waiting = customer.request(get(Some(now.version), 60), "unused");
    waiting.set_timeout(Duration::from_millis(300));
    let began = Instant::now();
    let late = customer
        .send::<_, Order>(&orders("GetOrder"), waiting)
        .await;
    let code = late.unwrap_err().code();
    // The client may notice first, and calls that so.
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(20));

    let watch = WatchOrderRequest {
        id: placed.id.clone(),
        after_version: now.version,
    };
    let mut grpc = Grpc::new(customer.channel.clone());
    soon("a connection", grpc.ready()).await.unwrap();
    let mut request = customer.request(watch, "unused");
    // Not by `set_timeout`: the client would keep it itself.
    request
        .metadata_mut()
        .insert("grpc-timeout", "300m".parse().unwrap());
    let codec: ProstCodec<WatchOrderRequest, OrderChange> = ProstCodec::default();
    let path = PathAndQuery::from_static("/pasar.orders.v1.Orders/WatchOrder");
    let changes = grpc.server_streaming(request, path, codec).await.unwrap();
    let end = soon("the end", changes.into_inner().message()).await;
    assert_eq!(end.unwrap_err().code(), Code::DeadlineExceeded);
}
