//! Who may call which method, through the gateway. A method that the table does not know fails the test.

use pasar_contracts::grpc::{
    descriptors,
    inventory::{
        AdjustStockRequest, GetProductRequest, GetStockRequest, ListProductsReply,
        ListProductsRequest, Movement, Product, StockLevel, adjust_stock_request::Adjustment,
    },
    orders::{
        CancelOrderRequest, GetOrderRequest, ListOrdersReply, ListOrdersRequest, Order,
        OrderChange, OrderRefund, RefundOrderRequest, WatchOrderRequest,
    },
    payments::{
        BalancesReply, BalancesRequest, CaptureCashRequest, GetPaymentRequest, ListPaymentsReply,
        ListPaymentsRequest, PaymentDetail,
    },
    types::Money,
    users::{
        GetSessionRequest, MeRequest, SessionStatus, User, VerifiedApiKey, VerifyApiKeyRequest,
    },
};
use prost::Message;
use tonic::{Code, Status};

use super::{Client, intake, order, orders, product, step};
use crate::system::System;

/// Whom a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Anyone,
    Accounts,
    /// The customer whose order it is, and staff.
    Owner,
    Buyers,
    Staff,
    /// Other services; nobody who comes through the gateway.
    Services,
}

const TABLE: [(&str, For); 22] = [
    ("/pasar.inventory.v1.Inventory/AdjustStock", For::Staff),
    ("/pasar.inventory.v1.Inventory/GetProduct", For::Anyone),
    ("/pasar.inventory.v1.Inventory/GetStock", For::Staff),
    ("/pasar.inventory.v1.Inventory/ListProducts", For::Anyone),
    ("/pasar.inventory.v1.Inventory/PutProduct", For::Staff),
    ("/pasar.inventory.v1.Inventory/ReceiveStock", For::Staff),
    ("/pasar.orders.v1.Orders/Cancel", For::Owner),
    ("/pasar.orders.v1.Orders/Collect", For::Staff),
    ("/pasar.orders.v1.Orders/GetOrder", For::Owner),
    ("/pasar.orders.v1.Orders/ListOrders", For::Accounts),
    ("/pasar.orders.v1.Orders/PlaceOrder", For::Buyers),
    ("/pasar.orders.v1.Orders/Ready", For::Staff),
    ("/pasar.orders.v1.Orders/Refund", For::Staff),
    ("/pasar.orders.v1.Orders/Start", For::Staff),
    ("/pasar.orders.v1.Orders/WatchOrder", For::Owner),
    ("/pasar.payments.v1.Payments/Balances", For::Staff),
    ("/pasar.payments.v1.Payments/CaptureCash", For::Staff),
    ("/pasar.payments.v1.Payments/GetPayment", For::Staff),
    ("/pasar.payments.v1.Payments/ListPayments", For::Staff),
    ("/pasar.users.v1.Users/GetSession", For::Services),
    ("/pasar.users.v1.Users/Me", For::Accounts),
    ("/pasar.users.v1.Users/VerifyApiKey", For::Services),
];

/// The code of a call that is otherwise as it should be.
async fn outcome(client: &Client, path: &str, placed: &str) -> Code {
    let id = placed.to_owned();
    let payment = placed.replace("ord_", "pay_");
    let sku = "role-tea".to_owned();
    let ended = match path.rsplit('/').next().unwrap() {
        "AdjustStock" => {
            let request = AdjustStockRequest {
                sku,
                adjustment: Some(Adjustment::Counted(1_000)),
                reason: "evening".to_owned(),
                ..AdjustStockRequest::default()
            };
            done::<_, Movement>(client, path, request).await
        }
        "GetProduct" => {
            let request = GetProductRequest {
                sku,
                ..GetProductRequest::default()
            };
            done::<_, Product>(client, path, request).await
        }
        "GetStock" => {
            let request = GetStockRequest {
                sku,
                ..GetStockRequest::default()
            };
            done::<_, StockLevel>(client, path, request).await
        }
        "ListProducts" => {
            done::<_, ListProductsReply>(client, path, ListProductsRequest::default()).await
        }
        "PutProduct" => done::<_, Product>(client, path, product(&sku)).await,
        "ReceiveStock" => done::<_, Movement>(client, path, intake(&sku, 1)).await,
        "Cancel" => {
            let request = CancelOrderRequest {
                id,
                ..CancelOrderRequest::default()
            };
            done::<_, Order>(client, path, request).await
        }
        "Start" | "Ready" | "Collect" => done::<_, Order>(client, path, step(&id)).await,
        "GetOrder" => {
            let request = GetOrderRequest {
                id,
                ..GetOrderRequest::default()
            };
            done::<_, Order>(client, path, request).await
        }
        "ListOrders" => {
            done::<_, ListOrdersReply>(client, path, ListOrdersRequest::default()).await
        }
        "PlaceOrder" => done::<_, Order>(client, path, order(&sku, 1)).await,
        "Refund" => {
            let request = RefundOrderRequest {
                id,
                reason: "cold".to_owned(),
                amount: Some(Money {
                    amount_minor: 1,
                    currency: "IDR".to_owned(),
                }),
                ..RefundOrderRequest::default()
            };
            done::<_, OrderRefund>(client, path, request).await
        }
        "WatchOrder" => {
            let request = WatchOrderRequest {
                id,
                after_version: 0,
            };
            let opened = client.follow::<_, OrderChange>(path, request).await;
            opened.map(|_| ())
        }
        "Balances" => done::<_, BalancesReply>(client, path, BalancesRequest {}).await,
        "CaptureCash" => {
            done::<_, PaymentDetail>(client, path, CaptureCashRequest { id: payment }).await
        }
        "GetPayment" => {
            done::<_, PaymentDetail>(client, path, GetPaymentRequest { id: payment }).await
        }
        "ListPayments" => {
            done::<_, ListPaymentsReply>(client, path, ListPaymentsRequest::default()).await
        }
        "GetSession" => done::<_, SessionStatus>(client, path, GetSessionRequest { id }).await,
        "Me" => done::<_, User>(client, path, MeRequest {}).await,
        "VerifyApiKey" => {
            done::<_, VerifiedApiKey>(client, path, VerifyApiKeyRequest::default()).await
        }
        other => panic!("nobody says what {other} is called with"),
    };
    ended.map_or_else(|status| status.code(), |()| Code::Ok)
}

async fn done<M, R>(client: &Client, path: &str, message: M) -> Result<(), Status>
where
    M: Message + 'static,
    R: Message + Default + 'static,
{
    client.call::<M, R>(path, message).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_for_whom_the_table_says() {
    let services = [
        "inventory.v1.Inventory",
        "orders.v1.Orders",
        "payments.v1.Payments",
        "users.v1.Users",
    ];
    let mut defined: Vec<_> = services
        .iter()
        .flat_map(|service| descriptors::methods(&format!("pasar.{service}")))
        .collect();
    defined.sort();
    assert_eq!(defined, TABLE.map(|(path, _)| path));

    let system = System::start();
    system.api("STAFF").product("role-tea", 1_000).await;
    // The demo's customer is not whose order it is.
    let owner = Client::new(&system, Some("ADMIN"));
    let placed: Order = owner
        .call(&orders("PlaceOrder"), order("role-tea", 1))
        .await
        .unwrap();
    for (path, wanted) in TABLE {
        for role in [
            None,
            Some("CUSTOMER"),
            Some("KIOSK"),
            Some("STAFF"),
            Some("ADMIN"),
            Some("INTEGRATOR"),
        ] {
            let client = Client::new(&system, role);
            let code = outcome(&client, path, &placed.id).await;
            let is_staff = matches!(role, Some("STAFF" | "ADMIN"));
            let expected = match wanted {
                For::Anyone => Code::Ok,
                For::Services => Code::NotFound,
                _ if role.is_none() => Code::Unauthenticated,
                For::Owner if !is_staff => Code::NotFound,
                For::Staff if !is_staff => Code::PermissionDenied,
                For::Buyers if role == Some("INTEGRATOR") => Code::PermissionDenied,
                For::Staff => {
                    // What the order's or payment's state then allows is its own affair.
                    let past = [Code::Ok, Code::FailedPrecondition];
                    assert!(past.contains(&code), "{path} as {role:?}: {code:?}");
                    continue;
                }
                For::Accounts | For::Owner | For::Buyers => Code::Ok,
            };
            assert_eq!(code, expected, "{path} as {role:?}");
        }
    }
    system.quiet().await;
}
