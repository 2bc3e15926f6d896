//! Who may call what: every operation of the document against every role. An operation that the
//! table does not know fails the test, so that whoever adds one decides who may call it.

use std::collections::{BTreeMap, BTreeSet};

use pasar_contracts::api::OWN_PREFIXES;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, fresh_key, order_of, send},
    system::System,
};

/// Whom an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Anyone,
    /// Whoever has logged in or has a key.
    Accounts,
    /// Whoever has just logged in with a password; a key does not do.
    People,
    /// Whoever may place orders.
    Buyers,
    /// The customer whose order it is, and staff. Others do not learn that there is such an order.
    Owner,
    Staff,
    /// Whoever reads the log: staff, and keys with a scope for it.
    Readers,
    /// Whoever has messages delivered: keys with a scope for them, and admins.
    Integrators,
    Admins,
}

const TABLE: [(&str, For); 87] = [
    ("GET /", For::Anyone),
    ("GET /asyncapi.json", For::Anyone),
    ("GET /.well-known/jwks.json", For::Anyone),
    ("GET /docs", For::Anyone),
    ("GET /docs/docs.js", For::Anyone),
    ("GET /docs/style.css", For::Anyone),
    ("GET /healthz", For::Anyone),
    // From loopback, as here, or for admins.
    ("GET /metrics", For::Anyone),
    ("GET /openapi.json", For::Anyone),
    ("GET /problems", For::Anyone),
    ("GET /problems/{slug}", For::Anyone),
    ("GET /readyz", For::Anyone),
    ("GET /v1/api-keys", For::Accounts),
    ("POST /v1/api-keys", For::Accounts),
    ("DELETE /v1/api-keys/{id}", For::Accounts),
    ("GET /v1/api-keys/{id}", For::Accounts),
    ("GET /v1/audit", For::Admins),
    ("POST /v1/auth/login", For::Anyone),
    ("POST /v1/auth/logout", For::Anyone),
    ("POST /v1/auth/refresh", For::Anyone),
    ("POST /v1/auth/register", For::Anyone),
    ("GET /v1/board", For::Anyone),
    ("GET /v1/board/events", For::Anyone),
    // Without anything that they may see it is not there.
    ("GET /v1/flows/{id}", For::Accounts),
    ("GET /v1/ledger/balances", For::Staff),
    ("GET /v1/ledger/entries", For::Staff),
    ("GET /v1/locations", For::Anyone),
    ("POST /v1/locations", For::Admins),
    ("GET /v1/locations/{id}", For::Anyone),
    ("PUT /v1/locations/{id}", For::Admins),
    ("GET /v1/orders", For::Accounts),
    ("POST /v1/orders", For::Buyers),
    ("GET /v1/orders/{id}", For::Owner),
    ("POST /v1/orders/{id}/cancel", For::Owner),
    ("POST /v1/orders/{id}/collect", For::Staff),
    ("GET /v1/orders/{id}/events", For::Owner),
    ("POST /v1/orders/{id}/ready", For::Staff),
    ("POST /v1/orders/{id}/refunds", For::Staff),
    ("POST /v1/orders/{id}/start", For::Staff),
    ("GET /v1/payments", For::Staff),
    // Without a valid signature nothing is taken, whoever calls.
    ("POST /v1/payments/webhooks/{provider}", For::Anyone),
    ("GET /v1/payments/{id}", For::Staff),
    ("POST /v1/payments/{id}/capture", For::Staff),
    ("POST /v1/payments/{id}/hand-back", For::Staff),
    ("GET /v1/products", For::Anyone),
    ("POST /v1/products/imports", For::Staff),
    ("GET /v1/products/{sku}", For::Anyone),
    ("PUT /v1/products/{sku}", For::Staff),
    ("DELETE /v1/products/{sku}/sold-out", For::Staff),
    ("PUT /v1/products/{sku}/sold-out", For::Staff),
    ("GET /v1/sandbox/actions/{id}", For::Anyone),
    ("POST /v1/sandbox/actions/{id}", For::Anyone),
    ("GET /v1/sessions", For::Accounts),
    ("DELETE /v1/sessions/{id}", For::Accounts),
    // In the demo anybody on this machine may send to the topic `client`.
    ("POST /messages", For::Anyone),
    ("GET /v1/dead-letters", For::Integrators),
    ("POST /v1/dead-letters/discard", For::Integrators),
    ("POST /v1/dead-letters/replay", For::Integrators),
    ("GET /v1/messages", For::Readers),
    ("POST /v1/messages", For::Anyone),
    ("GET /v1/messages/{topic}/{id}", For::Readers),
    // As for sending.
    ("GET /v1/streams/{topic}", For::Anyone),
    ("GET /v1/ws", For::Anyone),
    ("GET /v1/subscriptions", For::Integrators),
    ("POST /v1/subscriptions", For::Integrators),
    ("DELETE /v1/subscriptions/{id}", For::Integrators),
    ("GET /v1/subscriptions/{id}", For::Integrators),
    ("PUT /v1/subscriptions/{id}", For::Integrators),
    ("GET /v1/subscriptions/{id}/attempts", For::Integrators),
    ("POST /v1/subscriptions/{id}/pause", For::Integrators),
    ("POST /v1/subscriptions/{id}/replay", For::Integrators),
    ("POST /v1/subscriptions/{id}/resume", For::Integrators),
    ("POST /v1/subscriptions/{id}/test", For::Integrators),
    ("GET /v1/stock/{sku}", For::Staff),
    ("POST /v1/stock/{sku}/adjustments", For::Staff),
    ("POST /v1/stock/{sku}/intakes", For::Staff),
    ("GET /v1/stock/{sku}/movements", For::Staff),
    ("GET /v1/users", For::Admins),
    ("GET /v1/users/me", For::Accounts),
    ("PATCH /v1/users/me", For::Accounts),
    ("GET /v1/users/me/export", For::Accounts),
    ("PUT /v1/users/me/password", For::Accounts),
    ("GET /v1/users/{id}", For::Admins),
    ("PUT /v1/users/{id}/roles", For::Admins),
    ("GET /v1/watch/{token}", For::Anyone),
    ("GET /v1/watch/{token}/events", For::Anyone),
    // Last: it ends the account that calls it.
    ("DELETE /v1/users/me", For::People),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Customer,
    OtherCustomer,
    Kiosk,
    Staff,
    Admin,
    Integrator,
}

impl For {
    fn admits(self, caller: Caller) -> bool {
        match self {
            Self::Anyone => true,
            Self::Accounts => caller != Caller::Anonymous,
            Self::People => caller == Caller::OtherCustomer,
            Self::Buyers => !matches!(caller, Caller::Anonymous | Caller::Integrator),
            Self::Owner => matches!(caller, Caller::Customer | Caller::Staff | Caller::Admin),
            Self::Staff => matches!(caller, Caller::Staff | Caller::Admin),
            Self::Readers => matches!(caller, Caller::Staff | Caller::Admin | Caller::Integrator),
            Self::Integrators => matches!(caller, Caller::Admin | Caller::Integrator),
            Self::Admins => caller == Caller::Admin,
        }
    }

    /// How those are refused for whom it is not.
    const fn refusal(self, caller: Caller) -> u16 {
        match (caller, self) {
            (Caller::Anonymous, _) => 401,
            (_, Self::Owner) => 404,
            _ => 403,
        }
    }
}

/// Somebody who came on their own, with email and password.
async fn somebody(system: &System) -> Api {
    let anyone = system.anonymous();
    let account = json!({ "email": "sari@example.com", "password": "correct horse battery" });
    let mut register = account.clone();
    register["name"] = json!("Sari");
    anyone
        .post("/v1/auth/register", &register)
        .await
        .expect(201);
    let tokens = anyone.post("/v1/auth/login", &account).await.expect(200);
    anyone.with_token(tokens["access_token"].as_str().unwrap())
}

/// The path with what its parameters name.
fn concrete(path: &str, order: &Value) -> String {
    let id = order["id"].as_str().unwrap();
    let watch = order["watch_url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap();
    let id = if path.starts_with("/v1/orders") {
        id.to_owned()
    } else if path.starts_with("/v1/payments") {
        id.replace("ord_", "pay_")
    } else if path.starts_with("/v1/locations") {
        order["location_id"].as_str().unwrap().to_owned()
    } else {
        "unknown".to_owned()
    };
    path.replace("{id}", &id)
        .replace("{sku}", "role-tea")
        .replace("{token}", watch)
        .replace("{slug}", "forbidden")
        .replace("{provider}", "sandbox")
        .replace("{topic}", "client")
}

async fn call(api: &Api, operation: &str, order: &Value, with_body: bool) -> u16 {
    let (method, path) = operation.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let request = api
        .request(method, &concrete(path, order))
        .header("idempotency-key", fresh_key());
    let request = if with_body {
        request.json(&json!({}))
    } else {
        request
    };
    if path.ends_with("/events") || path.starts_with("/v1/streams/") {
        // A stream does not end: its head says enough.
        return request.send().await.unwrap().status().as_u16();
    }
    send(request).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_admits_whom_it_is_for_and_refuses_everyone_else() {
    let system = System::start();
    let customer = system.api("CUSTOMER");
    system.api("STAFF").product("role-tea", 10).await;
    let order = customer
        .order(5, &order_of(&[("role-tea", 1)], "tok_ok"))
        .await
        .expect(201);
    let document = system.anonymous().get("/openapi.json").await.expect(200);
    let documented = operations(&document);
    let known: BTreeSet<&str> = TABLE.iter().map(|(operation, _)| *operation).collect();
    let unknown: Vec<_> = documented
        .keys()
        .filter(|it| !known.contains(it.as_str()))
        .collect();
    assert!(unknown.is_empty(), "decide who may call {unknown:?}");
    let gone: Vec<_> = known
        .iter()
        .filter(|it| !documented.contains_key(**it))
        .collect();
    assert!(gone.is_empty(), "no longer documented: {gone:?}");
    for (_, path) in known.iter().filter_map(|it| it.split_once(" /v1/")) {
        let own = format!("/v1/{}", path.split('/').next().unwrap());
        assert!(OWN_PREFIXES.contains(&own.as_str()), "{own} may be taken");
    }

    let callers = [
        (Caller::Anonymous, system.anonymous()),
        (Caller::Customer, customer),
        (Caller::OtherCustomer, somebody(&system).await),
        (Caller::Kiosk, system.api("KIOSK")),
        (Caller::Staff, system.api("STAFF")),
        (Caller::Admin, system.api("ADMIN")),
        (Caller::Integrator, system.api("INTEGRATOR")),
    ];
    let mut wrong = Vec::new();
    for (operation, whom) in TABLE {
        for (caller, api) in &callers {
            let status = call(api, operation, &order, documented[operation]).await;
            let right = if whom.admits(*caller) {
                !matches!(status, 401 | 403 | 500..)
            } else {
                status == whom.refusal(*caller)
            };
            if !right {
                wrong.push(format!("{operation} answers {caller:?} with {status}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each operation of the document, and whether it takes a body.
fn operations(document: &Value) -> BTreeMap<String, bool> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            operations.insert(name, !operation["requestBody"].is_null());
        }
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn what_services_say_to_each_other_cannot_be_called_from_outside() {
    let system = System::start();
    for role in ["STAFF", "ADMIN", "INTEGRATOR"] {
        let api = system.api(role);
        for path in [
            "/internal/v1/credentials",
            "/internal/v1/sessions/ses_01h455vb4pex5vsknk084sn02q",
            "/internal",
            "//internal/v1/credentials",
            "/v1/../internal/v1/credentials",
            "/%69nternal/v1/credentials",
        ] {
            let answer = api.get(path).await;
            assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
            let answer = api.post(path, &json!({})).await;
            assert!(
                matches!(answer.status, 400 | 404 | 405),
                "{path}: {answer:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_a_client_claims_is_not_believed() {
    let system = System::start();
    for header in [
        "x-pasar-identity",
        "x-pasar-user",
        "x-user-id",
        "x-forwarded-user",
    ] {
        let request = system
            .anonymous()
            .request(Method::GET, "/v1/users")
            .header(header, "usr_01h455vb4pex5vsknk084sn02q;roles=admin");
        assert_eq!(send(request).await.status, 401, "{header}");
    }
}
