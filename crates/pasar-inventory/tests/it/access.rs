//! Who may call what. A route that is missing here fails the test, and so does one that the document
//! does not describe well.

use http::Method;
use pasar_chassis::openapi;
use pasar_contracts::api::users::Role;
use serde_json::{Value, json};

use crate::system::System;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Anyone,
    Staff,
    Admin,
}

struct Route {
    method: Method,
    /// As the document writes it.
    path: &'static str,
    body: Option<Value>,
    who: Who,
}

const ROLES: [Option<Role>; 6] = [
    None,
    Some(Role::Customer),
    Some(Role::Kiosk),
    Some(Role::Integrator),
    Some(Role::Staff),
    Some(Role::Admin),
];

fn routes() -> Vec<Route> {
    let location = json!({
        "name": "Kemang", "time_zone": "Asia/Jakarta", "cut_off": "04:00", "currency": "IDR",
    });
    let product = json!({ "name": "Tea", "price": { "amount_minor": 1, "currency": "IDR" } });
    let import = json!({ "products": [
        { "sku": "tea", "name": "Tea", "price": { "amount_minor": 1, "currency": "IDR" } },
    ]});
    let count = json!({ "kind": "count", "on_hand": 5, "reason": "evening" });
    let route = |method, path, body, who| Route {
        method,
        path,
        body,
        who,
    };
    vec![
        route(Method::GET, "/v1/locations", None, Who::Anyone),
        route(
            Method::POST,
            "/v1/locations",
            Some(location.clone()),
            Who::Admin,
        ),
        route(Method::GET, "/v1/locations/{id}", None, Who::Anyone),
        route(
            Method::PUT,
            "/v1/locations/{id}",
            Some(location),
            Who::Admin,
        ),
        route(Method::GET, "/v1/products", None, Who::Anyone),
        route(Method::PUT, "/v1/products/{sku}", Some(product), Who::Staff),
        route(Method::GET, "/v1/products/{sku}", None, Who::Anyone),
        route(
            Method::POST,
            "/v1/products/imports",
            Some(import),
            Who::Staff,
        ),
        route(Method::PUT, "/v1/products/{sku}/sold-out", None, Who::Staff),
        route(
            Method::DELETE,
            "/v1/products/{sku}/sold-out",
            None,
            Who::Staff,
        ),
        route(
            Method::POST,
            "/v1/stock/{sku}/intakes",
            Some(json!({ "quantity": 1 })),
            Who::Staff,
        ),
        route(
            Method::POST,
            "/v1/stock/{sku}/adjustments",
            Some(count),
            Who::Staff,
        ),
        route(Method::GET, "/v1/stock/{sku}", None, Who::Staff),
        route(Method::GET, "/v1/stock/{sku}/movements", None, Who::Staff),
    ]
}

fn allowed(who: Who, role: Option<Role>) -> bool {
    match who {
        Who::Anyone => true,
        Who::Staff => matches!(role, Some(Role::Staff | Role::Admin)),
        Who::Admin => role == Some(Role::Admin),
    }
}

#[tokio::test]
async fn each_route_lets_in_exactly_who_may_call_it() {
    let system = System::start().await;
    system.product("tea", true).await;
    for route in routes() {
        let path = route
            .path
            .replace("{sku}", "tea")
            .replace("{id}", &system.here.to_string());
        for role in ROLES {
            let key = format!("{role:?}");
            let headers = [("idempotency-key", key.as_str())];
            let answer = system
                .call(
                    route.method.clone(),
                    &path,
                    role,
                    route.body.clone(),
                    &headers,
                )
                .await;
            let expected = match (allowed(route.who, role), role) {
                (true, _) => answer.status.is_success(),
                (false, None) => answer.status == 401,
                (false, Some(_)) => answer.status == 403,
            };
            assert!(expected, "{} {path} as {role:?}: {answer:?}", route.method);
        }
    }
}

/// Otherwise the difference between 401 and 422 would tell strangers how a body is read.
#[tokio::test]
async fn strangers_are_sent_away_before_their_body_is_read() {
    let system = System::start().await;
    for route in routes()
        .into_iter()
        .filter(|route| route.who != Who::Anyone)
    {
        let path = route
            .path
            .replace("{sku}", "tea")
            .replace("{id}", &system.here.to_string());
        let nonsense = Some(json!({ "nonsense": true }));
        let answer = system
            .call(route.method.clone(), &path, None, nonsense, &[])
            .await;
        assert_eq!(answer.status, 401, "{} {path}", route.method);
    }
}

#[tokio::test]
async fn the_document_and_this_matrix_name_the_same_routes() {
    let system = System::start().await;
    let document = serde_json::to_value(&system.document).unwrap();
    let mut described: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut matrix: Vec<String> = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    described.sort();
    matrix.sort();
    assert_eq!(described, matrix);
    assert_eq!(openapi::defects(&system.document), Vec::<String>::new());
}
