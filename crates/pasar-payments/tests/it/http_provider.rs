//! The `http` provider against real servers: one that misbehaves, the sandbox as a process would serve
//! it, and the example in Python.

use std::{collections::BTreeMap, net::SocketAddr, process::Command, sync::Arc};

use axum::Router;
use pasar_chassis::signature;
use pasar_contracts::{
    api::payments::{Operation, ProviderAnswer, ProviderRequest, Token},
    event::Service,
    events::payments::{PaymentAuthorized, PaymentRequiresAction},
};
use pasar_payments::{
    config::{Config, HttpConfig, SandboxConfig},
    provider::{Call, NoAnswer, Provider},
    providers::http::HttpProvider,
    sandbox::{
        Sandbox,
        books::BookEntry,
        router::{SandboxAccess, sandbox_router},
    },
};
use pasar_store::{
    cause::{Actor, Cause},
    clock::{Clock, ManualClock, SystemClock},
};
use pasar_testkit::{
    feed::FakeFeed,
    host::TestHost,
    probe::{Probe, soon},
    process::Process,
    receiver::{Receiver, Reply},
};
use pasar_types::id::{FlowId, PaymentId, RefundId};
use serde_json::json;

use crate::{
    fake_provider::declined,
    sandbox::place,
    system::{TOTAL_MINOR, idr, order, secret},
};

const PAYMENT: PaymentId = order(1).payment;

fn provider(url: &str, timeout_ms: u64, clock: Arc<dyn Clock>) -> HttpProvider {
    let config = HttpConfig {
        url: url.to_owned(),
        secrets: vec![secret()],
        timeout_ms,
        max_in_flight: 8,
    };
    HttpProvider::new(&config, clock).unwrap()
}

fn call(operation: Operation, token: &str, refund: Option<(u8, i64)>) -> Call {
    let refund_id = refund.map(|(number, _)| RefundId::from_bytes([number; 16]));
    Call {
        request: ProviderRequest {
            operation,
            reference: PAYMENT,
            amount: idr(refund.map_or(TOTAL_MINOR, |(_, minor)| minor)),
            token: (operation == Operation::Authorize).then(|| Token(token.to_owned())),
            refund_id,
            idempotency_key: format!("{PAYMENT}:{operation}:{refund_id:?}"),
        },
        cause: Cause::new(Actor::Operator, FlowId::from_bytes([1; 16])),
    }
}

async fn asked(reply: Reply) -> Result<ProviderAnswer, NoAnswer> {
    let receiver = Receiver::start(move |_| reply.clone()).await;
    let clock = Arc::new(ManualClock::default());
    let provider = provider(&receiver.url("/"), 300, clock);
    provider
        .call(&call(Operation::Authorize, "tok", None))
        .await
}

/// Serves a router on a port of its own until the test ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

#[tokio::test]
async fn a_call_is_signed_and_carries_what_the_document_says() {
    let receiver = Receiver::start(|_| Reply::json(200, json!({"status": "authorized"}))).await;
    let clock = Arc::new(ManualClock::default());
    let provider = provider(&receiver.url("/pay"), 5_000, Arc::clone(&clock) as _);
    let answer = provider
        .call(&call(Operation::Authorize, "tok_visa", None))
        .await;
    assert_eq!(answer.unwrap(), ProviderAnswer::Authorized);
    let received = receiver.wait_for(1).await.pop().unwrap();
    assert_eq!(
        (received.method.as_str(), &*received.path),
        ("POST", "/pay")
    );
    let id = signature::verify(&[secret()], &received.headers, &received.body, clock.now());
    let body = received.json();
    assert_eq!(body["idempotency_key"], id.unwrap());
    assert_eq!(body["operation"], "authorize");
    assert_eq!(body["reference"], PAYMENT.to_string());
    assert_eq!(body["token"], "tok_visa");
    assert_eq!(
        body["amount"],
        json!({"amount_minor": TOTAL_MINOR, "currency": "IDR"})
    );
    assert_eq!(body.get("refund_id"), None);
}

#[tokio::test]
async fn answers_are_read_with_and_without_extras() {
    let json = |body| Reply::json(200, body);
    let answer = asked(json(json!({"status": "declined", "more": 1}))).await;
    assert_eq!(answer.unwrap(), declined(""));
    let action = json!({"type": "qr", "payload": "0002", "expires_at": "2026-01-01T00:00:00Z"});
    let answer = asked(json(
        json!({"status": "requires_action", "next_action": action}),
    ))
    .await;
    assert!(matches!(answer, Ok(ProviderAnswer::RequiresAction { .. })));
}

#[tokio::test]
async fn whatever_is_no_answer_leaves_the_result_unknown() {
    let long = json!({"status": "declined", "reason": "x".repeat(70_000)});
    let never = asked(Reply::Never).await;
    assert!(matches!(never, Err(NoAnswer::Timeout(_))), "{never:?}");
    for (reply, wanted) in [
        (Reply::HangUp, "Unreachable"),
        (
            Reply::json(500, json!({"status": "captured"})),
            "Status(500)",
        ),
        (
            Reply::json(302, json!({"status": "captured"})),
            "Status(302)",
        ),
        (Reply::json(200, json!({"status": "paid"})), "Unusable"),
        (Reply::json(200, json!([])), "Unusable"),
        (Reply::json(200, long), "longer than"),
    ] {
        let answer = asked(reply).await.unwrap_err();
        assert!(format!("{answer:?}").contains(wanted), "{answer:?}");
    }
    let nobody = provider("http://127.0.0.1:9/", 1_000, Arc::new(SystemClock));
    let answer = nobody.call(&call(Operation::Capture, "", None)).await;
    assert!(
        matches!(answer, Err(NoAnswer::Unreachable(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    use axum::{Json, response::Redirect, routing::post};
    let elsewhere = post(async || Json(json!({"status": "captured"})));
    let router = Router::new()
        .route("/", post(async || Redirect::temporary("/elsewhere")))
        .route("/elsewhere", elsewhere);
    let address = serve(router).await;
    let provider = provider(&format!("http://{address}/"), 5_000, Arc::new(SystemClock));
    let answer = provider.call(&call(Operation::Capture, "", None)).await;
    assert!(matches!(answer, Err(NoAnswer::Status(307))), "{answer:?}");
}

#[tokio::test]
async fn the_python_example_is_a_provider() {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/http-provider/provider.py"
    );
    let mut command = Command::new("python3");
    command
        .arg(script)
        .arg("0")
        .env("PROVIDER_SECRET", secret().reveal());
    let mut process = Process::start(&mut command)
        .expect("python3 runs (this test needs it for examples/http-provider)");
    let url = process.wait_for_line("listening on ").unwrap();
    let provider = provider(&url, 5_000, Arc::new(SystemClock));
    let ask = async |operation, token, refund| {
        let call = call(operation, token, refund);
        provider.call(&call).await.unwrap()
    };
    use Operation::{Authorize, Capture, LookUp, Refund, Void};
    use ProviderAnswer::{Authorized, Captured, NotFound, Refunded};
    for (operation, refund, answer) in [
        (LookUp, None, NotFound),
        (Authorize, None, Authorized),
        (Authorize, None, Authorized),
        (Capture, None, Captured),
        (Capture, None, Captured),
        (Void, None, Captured),
        (LookUp, Some((1, 0)), NotFound),
        (Refund, Some((1, 1_500_000)), Refunded),
        (Refund, Some((1, 1_500_000)), Refunded),
        (LookUp, Some((1, 0)), Refunded),
        (Refund, Some((2, 1_500_000)), declined("not_enough_left")),
        (Refund, Some((3, 1_000_000)), Refunded),
        (LookUp, None, Captured),
    ] {
        let got = ask(operation, "tok_visa", refund).await;
        assert_eq!(got, answer, "{operation} {refund:?}");
    }
    let other = HttpConfig {
        url,
        secrets: vec![signature::Secret::from_bytes(&[8; 32]).unwrap()],
        timeout_ms: 5_000,
        max_in_flight: 8,
    };
    let forger = HttpProvider::new(&other, Arc::new(SystemClock)).unwrap();
    let refused = forger.call(&call(LookUp, "", None)).await;
    assert!(matches!(refused, Err(NoAnswer::Status(401))), "{refused:?}");
}

/// A sandbox in a folder of its own, served as its own process would serve it.
async fn sandbox(notify_url: Option<String>, clock: &Arc<ManualClock>) -> (TestHost, SocketAddr) {
    let mut home = TestHost::new();
    home.host.clock = Arc::clone(clock) as _;
    let sandbox = Sandbox::open(&home.host, SandboxConfig::default()).unwrap();
    let access = SandboxAccess {
        secret: secret(),
        notify_url,
    };
    let address = serve(sandbox_router(sandbox, access).unwrap()).await;
    (home, address)
}

#[tokio::test]
async fn the_sandbox_serves_the_protocol_and_shows_its_books() {
    let clock = Arc::new(ManualClock::default());
    let (_home, address) = sandbox(None, &clock).await;
    let provider = provider(&format!("http://{address}/"), 5_000, clock);
    let lost = provider
        .call(&call(Operation::Authorize, "tok_timeout", None))
        .await;
    assert!(matches!(lost, Err(NoAnswer::Status(504))), "{lost:?}");
    let found = provider.call(&call(Operation::LookUp, "", None)).await;
    assert_eq!(found.unwrap(), ProviderAnswer::Authorized);
    let captured = provider.call(&call(Operation::Capture, "", None)).await;
    assert_eq!(captured.unwrap(), ProviderAnswer::Captured);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let books = format!("http://{address}/v1/sandbox/books");
    let entries: Vec<BookEntry> = client
        .get(&books)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((entries[0].reference, entries[0].captures), (PAYMENT, 1));
    let after = format!("{books}?after={PAYMENT}");
    let entries: Vec<BookEntry> = client
        .get(after)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(entries, []);
}

#[tokio::test]
async fn a_sandbox_elsewhere_tells_what_its_customer_did() {
    let test = TestHost::new();
    let orders = FakeFeed::on_clock(Service::Orders, Arc::clone(&test.clock) as _);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let notify = format!("http://{here}/v1/payments/webhooks/elsewhere");
    let (home, there) = sandbox(Some(notify), &test.clock).await;
    let store = pasar_payments::open(&test.host).unwrap();
    let mut config = Config::default();
    config.sandbox.enabled = false;
    let elsewhere = HttpConfig {
        url: format!("http://{there}/"),
        secrets: vec![secret()],
        timeout_ms: 5_000,
        max_in_flight: 8,
    };
    config.http.insert("elsewhere".to_owned(), elsewhere);
    let feeds = BTreeMap::from([(Service::Orders, orders.follow())]);
    let running = pasar_payments::start(&test.host, store.clone(), &feeds, config)
        .await
        .unwrap();
    let (clock, ids) = (Arc::clone(&test.host.clock), Arc::clone(&test.host.ids));
    // What the server in front of every service does.
    let arrival = axum::middleware::from_fn(
        move |mut request: axum::extract::Request, next: axum::middleware::Next| {
            let arrival = pasar_chassis::cause::Arrival::new(&*clock, &*ids, request.headers());
            request.extensions_mut().insert(arrival);
            next.run(request)
        },
    );
    let router = running.router.layer(arrival);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let order = order(1);
    place(&orders, order, "elsewhere", "tok_action");
    let mut probe = Probe::new(store.clone());
    let _: PaymentRequiresAction = probe.next_of(&order.key()).await;
    let events = store.events_of(&order.key(), 1, 1).unwrap();
    let private = events[0].private.clone().unwrap();
    let id = private
        .split("/actions/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let action = format!("http://{there}/v1/sandbox/actions/{id}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let done = soon("the action", client.post(action).send())
        .await
        .unwrap();
    assert_eq!(done.status(), 200);
    // No time passes: it can only be the notice that told.
    let _: PaymentAuthorized = probe.next_of(&order.key()).await;
    drop(home);
}
