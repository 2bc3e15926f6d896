//! The routes: who may call them, what they refuse, and that they are as documented.

use pasar_chassis::{identity::Identity, openapi};
use pasar_contracts::api::{
    page::Page,
    payments::{LedgerEntry, Payment, PaymentState},
};
use pasar_testkit::identities;
use pasar_types::id::PaymentId;

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
            (
                identities::service(pasar_contracts::event::Service::Orders),
                403,
            ),
            (identities::staff(), *allowed),
        ] {
            let status = call(method, path, identity.clone(), "k").await;
            assert_eq!(status, expected, "{method} {path} as {identity:?}");
        }
    }
    let admin = call("GET", "/v1/payments", identities::admin(), "k").await;
    assert_eq!(admin, 200);
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
    let orders = pasar_testkit::feed::FakeFeed::new(pasar_contracts::event::Service::Orders);
    let feeds = [(pasar_contracts::event::Service::Orders, orders.follow())].into();
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
