//! Who may call what: every route for everybody. A route that is missing here fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use http::Method;
use pasar_chassis::{identity::Identity, openapi};
use pasar_contracts::{
    event::Service,
    grpc::{
        descriptors::methods,
        orders::{
            CancelOrderRequest, GetOrderRequest, ListOrdersRequest, MoveOrderRequest, ORDERS,
            RefundOrderRequest, WatchOrderRequest,
        },
    },
};
use pasar_orders::config::Config;
use pasar_testkit::{
    feed::FakeFeed,
    host::TestHost,
    identities::{admin, anonymous, integrator, kiosk, service, staff},
};
use serde_json::{Value, json};

use crate::{
    counter::{Counter, ann, ben, feeds, idr, tea},
    grpc,
};

const MATRIX: &str = "
route                           anonymous other owner staff kiosk admin integrator service
POST /v1/orders                 401       201   201   201   201   201   403        403
GET /v1/orders                  401       200   200   200   200   200   200        403
GET /v1/orders/{id}             401       404   200   200   404   200   404        403
GET /v1/orders/{id}/events      401       404   200   200   404   200   404        403
POST /v1/orders/{id}/start      401       403   403   200   403   200   403        403
POST /v1/orders/{id}/ready      401       403   403   409   403   409   403        403
POST /v1/orders/{id}/collect    401       403   403   409   403   409   403        403
POST /v1/orders/{id}/cancel     401       404   200   200   404   200   404        403
POST /v1/orders/{id}/refunds    401       403   403   201   403   201   403        403
GET /v1/watch/{token}           200       200   200   200   200   200   200        200
GET /v1/watch/{token}/events    200       200   200   200   200   200   200        200
GET /v1/board                   200       200   200   200   200   200   200        200
GET /v1/board/events            200       200   200   200   200   200   200        200
GRPC PlaceOrder                 16        0     0     0     0     0     7          7
GRPC GetOrder                   16        5     0     0     5     0     5          7
GRPC ListOrders                 16        0     0     0     0     0     0          7
GRPC WatchOrder                 16        5     0     0     5     0     5          7
GRPC Start                      16        7     7     0     7     0     7          7
GRPC Ready                      16        7     7     9     7     9     7          7
GRPC Collect                    16        7     7     9     7     9     7          7
GRPC Cancel                     16        5     0     0     5     0     5          7
GRPC Refund                     16        7     7     0     7     0     7          7
";

fn everybody() -> [Identity; 8] {
    [
        anonymous(),
        ben(),
        ann(),
        staff(),
        kiosk(),
        admin(),
        integrator(),
        service(Service::Gateway),
    ]
}

fn body(route: &str) -> Option<Value> {
    match route {
        "/v1/orders" => Some(tea()),
        "/v1/orders/{id}/cancel" => Some(json!({})),
        "/v1/orders/{id}/refunds" => Some(json!({"amount": idr(1), "reason": "cold"})),
        _ => None,
    }
}

/// The status, without reading a stream to its end.
async fn status(counter: &mut Counter, method: &Method, route: &str, who: Identity) -> u16 {
    let id = counter.confirmed(ann()).await;
    let order: Value = counter.get(staff(), id).await.value();
    let token = order["watch_url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let path = route
        .replace("{id}", &id.to_string())
        .replace("{token}", token);
    let mut call = counter.client.request(method.clone(), &path).as_(who);
    if *method == Method::POST {
        call = call.key(&counter.key());
    }
    if let Some(body) = body(route) {
        call = call.json(&body);
    }
    if route.ends_with("/events") {
        let answer = tokio::time::timeout(std::time::Duration::from_millis(100), call.send());
        return answer.await.map_or(200, |answer| answer.status.as_u16());
    }
    call.send().await.status.as_u16()
}

/// The code of a gRPC method's outcome.
async fn outcome(counter: &mut Counter, method: &str, who: Identity) -> u16 {
    let id = counter.confirmed(ann()).await.to_string();
    let call = counter.client.post(&format!("/{ORDERS}/{method}"));
    let call = call.as_(who).key(&counter.key());
    let call = match method {
        "PlaceOrder" => call.message(&grpc::tea()),
        "GetOrder" => call.message(&GetOrderRequest {
            id,
            ..GetOrderRequest::default()
        }),
        "ListOrders" => call.message(&ListOrdersRequest::default()),
        "WatchOrder" => call.message(&WatchOrderRequest {
            id,
            ..WatchOrderRequest::default()
        }),
        "Start" | "Ready" | "Collect" => call.message(&MoveOrderRequest { id, version: None }),
        "Cancel" => call.message(&CancelOrderRequest {
            id,
            ..CancelOrderRequest::default()
        }),
        "Refund" => call.message(&RefundOrderRequest {
            id,
            amount: Some(idr(1).into()),
            reason: "cold".to_owned(),
            ..RefundOrderRequest::default()
        }),
        other => panic!("nobody says what {other} is called with"),
    };
    call.outcome().await
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_matrix_says() {
    let mut counter = Counter::open().await;
    let mut rows = MATRIX.trim().lines();
    let mut found = format!("{}\n", rows.next().unwrap());
    for row in rows {
        let (name, _) = row.split_at(32);
        let (method, route) = name.trim().split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let is_grpc = method == "GRPC";
        write!(found, "{name}").unwrap();
        for (who, width) in everybody().into_iter().zip([10, 6, 6, 6, 6, 6, 11, 3]) {
            let status = if is_grpc {
                outcome(&mut counter, route, who).await
            } else {
                status(&mut counter, &method, route, who).await
            };
            write!(found, "{status:<width$}").unwrap();
        }
        found.truncate(found.trim_end().len());
        found.push('\n');
    }
    assert_eq!(found.trim(), MATRIX.trim());
}

#[tokio::test]
async fn the_matrix_has_every_route_and_the_document_no_defects() {
    let host = TestHost::new();
    let store = pasar_orders::open(&host.host).unwrap();
    let feeds = feeds(
        &FakeFeed::new(Service::Inventory),
        &FakeFeed::new(Service::Payments),
    );
    let running = pasar_orders::start(&host.host, store, &feeds, Config::default())
        .await
        .unwrap();
    assert_eq!(openapi::defects(&running.openapi), Vec::<String>::new());
    let document = serde_json::to_value(&running.openapi).unwrap();
    let paths: BTreeMap<String, Value> = serde_json::from_value(document["paths"].clone()).unwrap();
    let documented: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().cloned();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .chain(grpc_methods(running.grpc))
        .collect();
    let known: BTreeSet<String> = MATRIX
        .trim()
        .lines()
        .skip(1)
        .map(|row| row[..32].trim().to_owned())
        .collect();
    assert_eq!(documented, known);
}

fn grpc_methods(services: &[&str]) -> Vec<String> {
    let methods = services.iter().flat_map(|service| methods(service));
    methods
        .map(|path| format!("GRPC {}", path.rsplit('/').next().unwrap()))
        .collect()
}
