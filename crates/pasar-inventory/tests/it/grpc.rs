//! Products and stock over gRPC: the same as over REST, and for the same people.

use http::Method;
use pasar_contracts::{
    api::users::Role,
    grpc::{
        descriptors,
        inventory::{
            AdjustStockRequest, GetProductRequest, GetStockRequest, INVENTORY, ListProductsReply,
            ListProductsRequest, Movement, MovementKind, Product, PutProductRequest,
            ReceiveStockRequest, StockLevel, adjust_stock_request::Adjustment,
        },
        types::Money,
    },
};
use pasar_testkit::{
    client::Call,
    identities::{admin, anonymous, customer, integrator, kiosk, service, staff},
};
use serde_json::json;

use crate::system::System;

fn method(system: &System, name: &str) -> Call {
    system.client().post(&format!("/{INVENTORY}/{name}"))
}

fn tea() -> PutProductRequest {
    PutProductRequest {
        sku: "tea".to_owned(),
        name: "Tea".to_owned(),
        names: [("id".to_owned(), "Teh".to_owned())].into(),
        price: Some(Money {
            amount_minor: 100,
            currency: "IDR".to_owned(),
        }),
        tax_rate_basis_points: 1_100,
        ..PutProductRequest::default()
    }
}

fn intake(quantity: i64) -> ReceiveStockRequest {
    ReceiveStockRequest {
        sku: "tea".to_owned(),
        quantity,
        ..ReceiveStockRequest::default()
    }
}

fn adjustment(adjustment: Adjustment) -> AdjustStockRequest {
    AdjustStockRequest {
        sku: "tea".to_owned(),
        adjustment: Some(adjustment),
        reason: "evening".to_owned(),
        ..AdjustStockRequest::default()
    }
}

#[tokio::test]
async fn each_method_lets_in_exactly_who_may_call_it() {
    let system = System::start().await;
    system.product("tea", true).await;
    let mut known = Vec::new();
    type Made = fn(Call) -> Call;
    let calls: [(&str, bool, Made); 6] = [
        ("GetProduct", false, |call| {
            call.message(&GetProductRequest {
                sku: "tea".to_owned(),
                ..GetProductRequest::default()
            })
        }),
        ("ListProducts", false, |call| {
            call.message(&ListProductsRequest::default())
        }),
        ("PutProduct", true, |call| call.message(&tea())),
        ("ReceiveStock", true, |call| call.message(&intake(1))),
        ("AdjustStock", true, |call| {
            call.message(&adjustment(Adjustment::Counted(5)))
        }),
        ("GetStock", true, |call| {
            call.message(&GetStockRequest {
                sku: "tea".to_owned(),
                ..GetStockRequest::default()
            })
        }),
    ];
    for (name, for_staff, call) in calls {
        for (who, code) in [
            (anonymous(), 16),
            (customer(1), 7),
            (kiosk(), 7),
            (integrator(), 7),
            (service(pasar_contracts::event::Service::Orders), 7),
            (staff(), 0),
            (admin(), 0),
        ] {
            let expected = if for_staff { code } else { 0 };
            let made = method(&system, name).as_(who.clone()).key("k");
            assert_eq!(call(made).outcome().await, expected, "{name} as {who:?}");
            if expected != 0 {
                // The door is judged before the message is read.
                let unreadable = method(&system, name).as_(who.clone());
                let unreadable = unreadable
                    .header("content-type", "application/grpc")
                    .body("?");
                assert_eq!(unreadable.outcome().await, expected, "{name} as {who:?}");
            }
        }
        known.push(format!("/{INVENTORY}/{name}"));
    }
    assert_eq!(descriptors::methods(INVENTORY), known);
}

#[tokio::test]
async fn a_product_is_the_same_over_both() {
    let system = System::start().await;
    let put = |request: &PutProductRequest| {
        let call = method(&system, "PutProduct").as_(staff());
        call.message(request).reply::<Product>()
    };
    let product = put(&tea()).await.unwrap();
    assert_eq!((product.version, product.available), (1, Some(0)));
    assert!(product.track_stock && product.orderable);
    let rest = system
        .call(Method::GET, "/v1/products/tea", None, None, &[])
        .await;
    assert_eq!(rest.headers["etag"], "\"v1\"");
    assert_eq!(rest.body["names"], json!({"id": "Teh"}));
    assert_eq!(rest.body["tax_rate"], 1_100);

    let stale = PutProductRequest {
        version: Some(7),
        ..tea()
    };
    let refused = put(&stale).await.unwrap_err();
    assert_eq!(
        (refused.code, &*refused.problem),
        (10, "precondition-failed")
    );
    let listed: ListProductsReply = method(&system, "ListProducts")
        .message(&ListProductsRequest {
            q: "TE".to_owned(),
            limit: 1,
            ..ListProductsRequest::default()
        })
        .reply()
        .await
        .unwrap();
    assert_eq!(listed.products.len(), 1);
    assert_eq!(listed.products[0].names["id"], "Teh");
    let too_many = ListProductsRequest {
        limit: 70_000,
        ..ListProductsRequest::default()
    };
    let refused = method(&system, "ListProducts").message(&too_many);
    let refused = refused.reply::<ListProductsReply>().await.unwrap_err();
    assert_eq!(refused.document["errors"][0]["field"], "limit");
}

#[tokio::test]
async fn stock_is_received_once_for_a_key_over_both() {
    let system = System::start().await;
    system.product("tea", true).await;
    let receive = |key: &str, quantity| {
        let call = method(&system, "ReceiveStock").as_(staff()).key(key);
        call.message(&intake(quantity)).reply::<Movement>()
    };
    let movement = receive("k", 5).await.unwrap();
    assert_eq!((movement.number, movement.on_hand), (1, 5));
    assert_eq!(movement.kind(), MovementKind::Intake);
    let again = system
        .client()
        .post("/v1/stock/tea/intakes")
        .as_(staff())
        .key("k");
    let again = again.json(&json!({"quantity": 5})).send().await.expect(201);
    assert_eq!(again.value()["number"], 1);
    assert_eq!(receive("k", 6).await.unwrap_err().code, 3);

    let adjust = |key: &str, request: &AdjustStockRequest| {
        let call = method(&system, "AdjustStock").as_(staff()).key(key);
        call.message(request).reply::<Movement>()
    };
    let lost = adjust("w", &adjustment(Adjustment::WrittenOff(2))).await;
    assert_eq!(lost.unwrap().on_hand, 3);
    let counted = adjust("c", &adjustment(Adjustment::Counted(4))).await;
    assert_eq!(counted.unwrap().change, 1);
    let level: StockLevel = method(&system, "GetStock")
        .as_(staff())
        .message(&GetStockRequest {
            sku: "tea".to_owned(),
            ..GetStockRequest::default()
        })
        .reply()
        .await
        .unwrap();
    assert_eq!((level.on_hand, level.reserved, level.available), (4, 0, 4));
    let path = "/v1/stock/tea";
    let rest = system
        .call(Method::GET, path, Some(Role::Staff), None, &[])
        .await;
    assert_eq!(rest.body["on_hand"], 4);
}

#[tokio::test]
async fn what_nobody_counts_has_no_stock_to_change() {
    let system = System::start().await;
    system.product("tea", false).await;
    let call = method(&system, "ReceiveStock").as_(staff()).key("k");
    let refused = call.message(&intake(1)).reply::<Movement>().await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.code, &*refused.problem), (9, "not-counted"));
}
