//! Orders over gRPC: the same orders as over REST.

use std::time::Duration;

use futures_util::future::join_all;
use pasar_contracts::grpc::orders::{
    GetOrderRequest, Item, ListOrdersReply, ListOrdersRequest, MoveOrderRequest, Order,
    OrderChange, OrderRefund, OrderState, PaymentMethod, PlaceOrderRequest, RefundOrderRequest,
    WatchOrderRequest,
};
use pasar_testkit::{client::Call, identities::staff};
use pasar_types::id::OrderId;

use crate::counter::{self, Counter, TEA, ann, idr};

/// One tea by card.
pub(crate) fn tea() -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![Item {
            sku: "tea".to_owned(),
            quantity: 1,
        }],
        payment: Some(PaymentMethod {
            method: "sandbox".to_owned(),
            token: "tok_ok".to_owned(),
        }),
        ..PlaceOrderRequest::default()
    }
}

fn method(counter: &Counter, name: &str) -> Call {
    counter
        .client
        .post(&format!("/pasar.orders.v1.Orders/{name}"))
}

fn get(id: &str) -> GetOrderRequest {
    GetOrderRequest {
        id: id.to_owned(),
        ..GetOrderRequest::default()
    }
}

fn step(id: &str, version: Option<i64>) -> MoveOrderRequest {
    MoveOrderRequest {
        id: id.to_owned(),
        version,
    }
}

fn watch(id: &str, after_version: i64) -> WatchOrderRequest {
    WatchOrderRequest {
        id: id.to_owned(),
        after_version,
    }
}

#[tokio::test]
async fn an_order_is_the_same_over_both() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let rest = counter.get(ann(), id).await.expect(200);
    let order: Order = method(&counter, "GetOrder")
        .as_(ann())
        .message(&get(&id.to_string()))
        .reply()
        .await
        .unwrap();
    let value = rest.value();
    assert_eq!(order.id, value["id"]);
    assert_eq!(order.number, value["number"]);
    assert_eq!(order.state(), OrderState::Confirmed);
    assert_eq!(order.watch_url, value["watch_url"]);
    assert_eq!(order.customer_id, value["customer_id"]);
    assert_eq!(order.total.as_ref().unwrap().amount_minor, TEA);
    assert_eq!(order.lines[0].sku, "tea");
    assert_eq!(
        rest.header("etag"),
        Some(&*format!("\"v{}\"", order.version))
    );
    let listed: ListOrdersReply = method(&counter, "ListOrders")
        .as_(staff())
        .message(&ListOrdersRequest::default())
        .reply()
        .await
        .unwrap();
    assert_eq!(listed.orders, [order]);
    assert_eq!(listed.next_cursor, "");
}

#[tokio::test]
async fn one_key_is_one_order_however_often_and_by_whatever_way_it_comes() {
    let counter = Counter::open().await;
    let key = counter.key();
    let grpc = || {
        let call = method(&counter, "PlaceOrder").as_(ann()).key(&key);
        call.message(&tea()).reply::<Order>()
    };
    // The same in another hand: what it says counts.
    let text = r#" {"payment": {"token":"tok_ok", "method":"sandbox"},
        "note": null, "lines":[ {"quantity":1,"sku":"tea"} ] }"#;
    let rest = || {
        let call = counter.client.post("/v1/orders").as_(ann()).key(&key);
        let call = call.header("content-type", "application/json");
        call.body(text).send()
    };
    let (over_grpc, over_rest) = tokio::join!(
        join_all((0..20).map(|_| grpc())),
        join_all((0..20).map(|_| rest()))
    );
    let first = over_grpc[0].as_ref().unwrap().id.clone();
    for order in over_grpc {
        assert_eq!(order.unwrap().id, first);
    }
    for answer in over_rest {
        assert_eq!(answer.expect(201).value()["id"], *first);
    }
    let listed: ListOrdersReply = method(&counter, "ListOrders")
        .as_(ann())
        .message(&ListOrdersRequest::default())
        .reply()
        .await
        .unwrap();
    assert_eq!(listed.orders.len(), 1);
    let mut two = tea();
    two.lines[0].quantity = 2;
    let other = method(&counter, "PlaceOrder").as_(ann()).key(&key);
    let refused = other.message(&two).reply::<Order>().await.unwrap_err();
    assert_eq!(
        (refused.code, &*refused.problem),
        (3, "idempotency-key-reused")
    );
}

#[tokio::test]
async fn a_refusal_has_its_code_and_the_whole_problem() {
    let mut counter = Counter::open().await;
    let place = async |request: PlaceOrderRequest| {
        let call = method(&counter, "PlaceOrder")
            .as_(ann())
            .key(&counter.key());
        let refused = call.message(&request).reply::<Order>().await;
        refused.expect_err("it is refused")
    };
    let mut unknown = tea();
    unknown.lines[0].sku = "no-such".to_owned();
    let refused = place(unknown).await;
    assert_eq!((refused.code, &*refused.problem), (3, "unknown-sku"));
    assert_eq!(refused.document["skus"][0], "no-such");
    let refused = place(PlaceOrderRequest {
        expected_total: Some(idr(1).into()),
        ..tea()
    })
    .await;
    assert_eq!((refused.code, &*refused.problem), (9, "price-changed"));
    assert_eq!(refused.document["total"]["amount_minor"], TEA);
    let refused = place(PlaceOrderRequest {
        lines: vec![],
        ..tea()
    })
    .await;
    assert_eq!((refused.code, &*refused.problem), (3, "validation-failed"));
    let without_key = method(&counter, "PlaceOrder").as_(ann()).message(&tea());
    let refused = without_key.reply::<Order>().await.unwrap_err();
    assert_eq!(refused.problem, "idempotency-key-missing");

    let id = counter.confirmed(ann()).await.to_string();
    let moved = async |name: &str, version| {
        let call = method(&counter, name).as_(staff());
        call.message(&step(&id, version)).reply::<Order>().await
    };
    let refused = moved("Ready", None).await.unwrap_err();
    assert_eq!((refused.code, &*refused.problem), (9, "state-forbids"));
    assert_eq!(refused.document["state"], "confirmed");
    let refused = moved("Start", Some(1)).await.unwrap_err();
    assert_eq!(
        (refused.code, &*refused.problem),
        (10, "precondition-failed")
    );
    let order = moved("Start", None).await.unwrap();
    assert_eq!(order.state(), OrderState::Preparing);
    let unknown = OrderId::from_bytes([9; 16]).to_string();
    let call = method(&counter, "GetOrder").as_(staff());
    let refused = call.message(&get(&unknown)).reply::<Order>().await;
    assert_eq!(refused.unwrap_err().code, 5);
}

#[tokio::test]
async fn money_is_given_back_once_for_a_key_over_both() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await;
    let key = counter.key();
    let request = RefundOrderRequest {
        id: id.to_string(),
        amount: Some(idr(7).into()),
        reason: "spilled".to_owned(),
        ..RefundOrderRequest::default()
    };
    let call = method(&counter, "Refund").as_(staff()).key(&key);
    let refund: OrderRefund = call.message(&request).reply().await.unwrap();
    let path = format!("/v1/orders/{id}/refunds");
    let again = counter.client.post(&path).as_(staff()).key(&key);
    let body = serde_json::json!({"reason": "spilled", "amount": idr(7)});
    let again = again.json(&body).send().await.expect(201);
    assert_eq!(again.value()["id"], *refund.id);
}

#[tokio::test]
async fn every_change_is_told_as_it_happens_and_from_where_one_was() {
    let mut counter = Counter::open().await;
    let id = counter.confirmed(ann()).await.to_string();
    let open = async |after| {
        let call = method(&counter, "WatchOrder").as_(ann());
        call.message(&watch(&id, after)).replies().await.unwrap()
    };
    let mut changes = open(0).await;
    let mut versions = Vec::new();
    loop {
        let change: OrderChange = changes.next().await.unwrap();
        versions.push(change.version);
        if change.r#type == "order.stock_sold" {
            assert_eq!(change.state(), OrderState::Confirmed);
            break;
        }
    }
    let last = i64::try_from(versions.len()).unwrap();
    assert_eq!(versions, (1..=last).collect::<Vec<_>>());
    let mut resumed = open(last - 1).await;
    let change: OrderChange = resumed.next().await.unwrap();
    assert_eq!(change.version, last);
    let details: serde_json::Value = serde_json::from_str(&change.details).unwrap();
    assert!(details.get("customer_id").is_none(), "{details}");

    let call = method(&counter, "Start").as_(staff());
    call.message(&step(&id, None))
        .reply::<Order>()
        .await
        .unwrap();
    for changes in [&mut changes, &mut resumed] {
        let change: OrderChange = changes.next().await.unwrap();
        assert_eq!(change.r#type, "order.preparing");
        assert_eq!(change.state(), OrderState::Preparing);
    }
    counter.host.drain().await;
    assert!(changes.next::<OrderChange>().await.is_none());
    assert_eq!(changes.end().code, 14);
}

#[tokio::test]
async fn a_wait_ends_with_the_change_or_with_the_callers_deadline() {
    let counter = Counter::open().await;
    let id = counter.place(ann(), &counter::tea()).await;
    let known = GetOrderRequest {
        wait_seconds: 60,
        known_version: Some(1),
        ..get(&id.to_string())
    };
    let waiting = || method(&counter, "GetOrder").as_(ann()).message(&known);
    let late = waiting().header("grpc-timeout", "5S");
    let began = counter.inventory.now();
    let refused = counter.in_time(late.reply::<Order>()).await.unwrap_err();
    assert_eq!(refused.code, 4);
    let waited = counter.inventory.now().since(began);
    assert!(waited < Duration::from_secs(30), "{waited:?}");

    let (changed, ()) = tokio::join!(waiting().reply::<Order>(), async {
        counter.a_while().await;
        counter.reserve(id);
    });
    assert!(changed.unwrap().version > 1);
}

#[tokio::test]
async fn the_trace_of_a_call_goes_on_in_its_events() {
    let counter = Counter::open().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = method(&counter, "PlaceOrder")
        .as_(ann())
        .key(&counter.key());
    let call = call.header("traceparent", trace).message(&tea());
    let order: Order = call.reply().await.unwrap();
    let events = counter.store.events_of(&order.id, 0, 1).unwrap();
    assert_eq!(events[0].traceparent.as_deref(), Some(trace));
}
