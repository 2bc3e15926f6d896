//! The routes: who may call them, what they refuse, and that they are as documented.

use pasar_chassis::{grpc::prefix, identity::Identity, openapi};
use pasar_contracts::{
    api::{
        page::Page,
        payments::{LedgerEntry, Payment, PaymentState},
    },
    event::Service,
    grpc::{
        descriptors,
        payments::{
            BalancesReply, BalancesRequest, CaptureCashRequest, GetPaymentRequest,
            ListPaymentsRequest, PAYMENTS, PaymentDetail,
        },
        types,
    },
};
use pasar_testkit::identities;
use pasar_types::id::PaymentId;
use prost::Message;

use crate::system::{System, order};

#[tokio::test]
async fn only_staff_and_admins_see_and_move_payments() {
    let (system, order) = (System::start(), order(1));
    system.place_by(order, "cash", "");
    system.reach(order, PaymentState::Due).await;
    let routes = [
        ("GET", "/v1/payments".to_owned(), 200),
        ("GET", format!("/v1/payments?order_id={}", order.id), 200),
        ("GET", format!("/v1/payments/{}", order.payment), 200),
        ("GET", "/v1/ledger/balances".to_owned(), 200),
        ("GET", "/v1/ledger/entries".to_owned(), 200),
        (
            "POST",
            format!("/v1/payments/{}/capture", order.payment),
            200,
        ),
        (
            "POST",
            format!("/v1/payments/{}/hand-back", order.payment),
            409,
        ),
    ];
    let call = async |method: &str, path: &str, identity: Identity, key: &str| {
        let call = match method {
            "GET" => system.client.get(path),
            _ => system.client.post(path).key(key),
        };
        call.as_(identity).send().await.status.as_u16()
    };
    for (method, path, allowed) in &routes {
        for (identity, expected) in [
            (identities::anonymous(), 401),
            (identities::customer(1), 403),
            (identities::kiosk(), 403),
            (identities::integrator(), 403),
            (identities::service(Service::Orders), 403),
            (identities::staff(), *allowed),
        ] {
            let status = call(method, path, identity.clone(), "k").await;
            assert_eq!(status, expected, "{method} {path} as {identity:?}");
        }
    }
    let admin = call("GET", "/v1/payments", identities::admin(), "k").await;
    assert_eq!(admin, 200);
}

/// Each method with a message that staff is answered OK for.
fn methods(payment: PaymentId) -> Vec<(&'static str, Vec<u8>)> {
    let id = payment.to_string();
    let capture = CaptureCashRequest { id: id.clone() };
    vec![
        (
            "ListPayments",
            ListPaymentsRequest::default().encode_to_vec(),
        ),
        ("GetPayment", GetPaymentRequest { id }.encode_to_vec()),
        ("CaptureCash", capture.encode_to_vec()),
        ("Balances", BalancesRequest {}.encode_to_vec()),
    ]
}

#[tokio::test]
async fn over_grpc_too_only_staff_and_admins_see_and_move_payments() {
    let (system, order) = (System::start(), order(1));
    system.place_by(order, "cash", "");
    system.reach(order, PaymentState::Due).await;
    let mut known = Vec::new();
    for (method, message) in methods(order.payment) {
        let path = format!("/{PAYMENTS}/{method}");
        for (identity, expected) in [
            (identities::anonymous(), 16),
            (identities::customer(1), 7),
            (identities::kiosk(), 7),
            (identities::integrator(), 7),
            (identities::service(Service::Orders), 7),
            (identities::staff(), 0),
            (identities::admin(), 0),
        ] {
            let call = system.client.post(&path).as_(identity.clone()).key("k");
            let call = if expected == 7 || expected == 16 {
                // The door is judged before the message is read: this one cannot be.
                call.header("content-type", "application/grpc").body("?")
            } else {
                let framed = [&prefix(message.len())[..], &message].concat();
                call.header("content-type", "application/grpc").body(framed)
            };
            let code = call.outcome().await;
            // The admin's capture comes after the staff's: the key is the actor's own.
            let is_second = method == "CaptureCash" && identity == identities::admin();
            let expected = if is_second { 9 } else { expected };
            assert_eq!(code, expected, "{method} as {identity:?}");
        }
        known.push(path);
    }
    assert_eq!(descriptors::methods(PAYMENTS), known);
}

#[tokio::test]
async fn a_payment_is_the_same_over_both_and_captured_once_for_a_key() {
    let (system, order) = (System::start(), order(1));
    system.place_by(order, "cash", "");
    system.reach(order, PaymentState::Due).await;
    let request = CaptureCashRequest {
        id: order.payment.to_string(),
    };
    let method = |name: &str| {
        let call = system.client.post(&format!("/{PAYMENTS}/{name}"));
        call.as_(identities::staff()).key("k")
    };
    let call = method("CaptureCash").message(&request);
    let captured: PaymentDetail = call.reply().await.unwrap();
    let payment = captured.payment.clone().unwrap();
    assert_eq!(payment.state(), types::PaymentState::Captured);
    assert_eq!(payment.captured, payment.amount);
    let path = format!("/v1/payments/{}/capture", order.payment);
    let again = system.client.post(&path).as_(identities::staff()).key("k");
    let again = again.send().await.expect(200).value();
    assert_eq!(again["id"], *payment.id);
    assert_eq!(again["flow_id"], *payment.flow_id);
    let balances: BalancesReply = method("Balances")
        .message(&BalancesRequest {})
        .reply()
        .await
        .unwrap();
    let sums = balances.balances.iter().map(|balance| {
        let balance = balance.balance.clone().unwrap();
        balance.amount_minor
    });
    assert_eq!(balances.balances.len(), 2);
    assert_eq!(sums.sum::<i64>(), 0);
}

#[tokio::test]
async fn bad_input_is_refused_and_says_where() {
    let system = System::start();
    let unknown = PaymentId::from_bytes([9; 16]);
    for (path, status) in [
        ("/v1/payments?order_id=nonsense".to_owned(), 422),
        ("/v1/payments?limit=0".to_owned(), 422),
        ("/v1/payments?limit=201".to_owned(), 422),
        ("/v1/payments?cursor=nonsense".to_owned(), 422),
        ("/v1/payments?state=captured".to_owned(), 422),
        ("/v1/payments/nonsense".to_owned(), 400),
        (format!("/v1/payments/{unknown}"), 404),
        ("/v1/ledger/entries?cursor=%00".to_owned(), 422),
    ] {
        let answer = system.get(&path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.problem().is_empty());
    }
    let capture = format!("/v1/payments/{unknown}/capture");
    let post = |path: &str| system.client.post(path).as_(identities::staff());
    let missing = post(&capture).send().await.expect(400);
    assert_eq!(missing.problem(), "idempotency-key-missing");
    post(&capture).key("k").send().await.expect(404);
    let fields = serde_json::json!({"amount": 1});
    post(&capture)
        .key("k2")
        .json(&fields)
        .send()
        .await
        .expect(422);
}

#[tokio::test]
async fn the_same_key_for_another_payment_is_refused() {
    let system = System::start();
    for order in [order(1), order(2)] {
        system.place_by(order, "cash", "");
        system.reach(order, PaymentState::Due).await;
    }
    let capture = |payment: PaymentId| {
        let path = format!("/v1/payments/{payment}/capture");
        let call = system.client.post(&path).as_(identities::staff());
        call.key("k").send()
    };
    capture(order(1).payment).await.expect(200);
    let reused = capture(order(2).payment).await.expect(422);
    assert_eq!(reused.problem(), "idempotency-key-reused");
}

#[tokio::test]
async fn lists_go_from_the_newest_to_the_oldest_page_by_page() {
    let system = System::start();
    for number in 1..=5 {
        system.captured(order(number)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/payments?limit=2".to_owned();
    loop {
        let page: Page<Payment> = system.get(&path).await.expect(200).json();
        seen.extend(page.items.iter().map(|payment| payment.id));
        let Some(cursor) = page.next_cursor else {
            break;
        };
        path = format!("/v1/payments?limit=2&cursor={cursor}");
    }
    let newest_first: Vec<_> = (1..=5).rev().map(|number| order(number).payment).collect();
    assert_eq!(seen, newest_first);
    let entries: Page<LedgerEntry> = system
        .get("/v1/ledger/entries?limit=4")
        .await
        .expect(200)
        .json();
    assert_eq!(entries.items.len(), 4);
    for pair in entries.items.chunks(2) {
        assert_eq!(pair[0].transaction_id, pair[1].transaction_id);
        assert_eq!(pair[0].amount.amount_minor + pair[1].amount.amount_minor, 0);
    }
}

#[tokio::test]
async fn the_document_keeps_what_it_promises() {
    let test = pasar_testkit::host::TestHost::new();
    let orders = pasar_testkit::feed::FakeFeed::new(Service::Orders);
    let feeds = [(Service::Orders, orders.follow())].into();
    let store = pasar_payments::open(&test.host).unwrap();
    let config = pasar_payments::config::Config::default();
    let running = pasar_payments::start(&test.host, store, &feeds, config)
        .await
        .unwrap();
    assert_eq!(openapi::defects(&running.openapi), Vec::<String>::new());
    let paths: Vec<_> = running.openapi.paths.paths.keys().cloned().collect();
    assert_eq!(
        paths,
        [
            "/v1/ledger/balances",
            "/v1/ledger/entries",
            "/v1/payments",
            "/v1/payments/webhooks/{provider}",
            "/v1/payments/{id}",
            "/v1/payments/{id}/capture",
            "/v1/payments/{id}/hand-back",
            "/v1/sandbox/actions/{id}",
        ]
    );
}
