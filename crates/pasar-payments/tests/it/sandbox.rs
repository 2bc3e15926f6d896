//! The sandbox in the same process: what each token leads to, what its books count, and how many of its
//! answers can be waited for at once.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use pasar_contracts::{
    api::payments::{
        ActionOutcome, Operation, PaymentState, ProviderAnswer, ProviderRequest, Token,
    },
    event::Service,
    events::{
        orders::{OrderPlaced, OrderRef, OrderSecured, PaymentToken},
        payments::{
            NextAction, PaymentAuthorized, PaymentCaptureFailed, PaymentCaptured, PaymentDeclined,
            PaymentRequiresAction,
        },
    },
};
use pasar_payments::{
    config::{Config, SandboxConfig},
    sandbox::Sandbox,
};
use pasar_store::{
    cause::{Actor, Cause},
    store::Store,
};
use pasar_testkit::{
    client::Client,
    feed::FakeFeed,
    host::{PUBLIC_URL, TestHost},
    probe::{Probe, soon},
};
use pasar_types::id::{FlowId, OrderId};

use crate::system::{LOCATION, Order, TOTAL_MINOR, idr, order};

struct Shop {
    test: TestHost,
    orders: FakeFeed,
    store: Store,
    client: Client,
}

impl Shop {
    async fn open(sandbox: SandboxConfig) -> Self {
        let test = TestHost::new();
        let orders = FakeFeed::on_clock(Service::Orders, Arc::clone(&test.clock) as _);
        let store = pasar_payments::open(&test.host).unwrap();
        let feeds = BTreeMap::from([(Service::Orders, orders.follow())]);
        let config = Config {
            sandbox,
            ..Config::default()
        };
        let running = pasar_payments::start(&test.host, store.clone(), &feeds, config)
            .await
            .unwrap();
        Self {
            client: Client::new(running.router),
            test,
            orders,
            store,
        }
    }

    fn place(&self, order: Order, token: &str) {
        place(&self.orders, order, "sandbox", token);
    }

    fn secure(&self, id: OrderId) {
        let order = reference(id);
        self.orders
            .push(&id.to_string(), 2, &OrderSecured { order });
    }

    fn probe(&self) -> Probe {
        Probe::new(self.store.clone())
    }

    /// The path of an order's action, as its customer gets it.
    async fn action(&self, order: Order) -> (NextAction, String) {
        let _: PaymentRequiresAction = self.probe().next_of(&order.key()).await;
        let events = self.store.events_of(&order.key(), 1, 1).unwrap();
        let action: NextAction = events[0].decode_private().unwrap();
        let url = match &action {
            NextAction::Redirect { url, .. } => url,
            NextAction::Qr { payload, .. } => payload,
        };
        let path = url.strip_prefix(PUBLIC_URL).unwrap().to_owned();
        (action, path)
    }
}

/// An order as its feed tells of it.
pub(crate) fn place(orders: &FakeFeed, order: Order, method: &str, token: &str) {
    let placed = OrderPlaced {
        order: reference(order.id),
        lines: Vec::new(),
        total: idr(TOTAL_MINOR),
        method: method.to_owned(),
        deadline: orders.now(),
    };
    let token = PaymentToken {
        token: token.to_owned(),
    };
    orders.push_private(&order.key(), 1, &placed, &token);
}

fn reference(order_id: OrderId) -> OrderRef {
    OrderRef {
        order_id,
        location_id: LOCATION,
        number: 1,
        customer_id: None,
    }
}

fn fast() -> SandboxConfig {
    SandboxConfig {
        slow_ms: 20,
        ..SandboxConfig::default()
    }
}

#[tokio::test]
async fn good_tokens_are_authorised_and_captured_once() {
    let shop = Shop::open(fast()).await;
    for (number, token) in (1..).zip(["tok_ok", "tok_slow"]) {
        let order = order(number);
        shop.place(order, token);
        let _: PaymentAuthorized = shop.probe().next_of(&order.key()).await;
        shop.secure(order.id);
        let _: PaymentCaptured = shop.probe().next_of(&order.key()).await;
    }
    for entry in audit(&shop).await {
        assert_eq!((entry.authorizations, entry.captures), (1, 1), "{entry:?}");
        assert_eq!(entry.captured_minor, TOTAL_MINOR);
    }
}

#[tokio::test]
async fn bad_tokens_are_declined_with_a_reason_and_not_written_down() {
    let shop = Shop::open(fast()).await;
    for (number, (token, reason)) in (1..).zip([
        ("tok_declined", "card_declined"),
        ("4242424242424242", "unknown_token"),
        ("", "unknown_token"),
    ]) {
        let order = order(number);
        shop.place(order, token);
        let declined: PaymentDeclined = shop.probe().next_of(&order.key()).await;
        assert_eq!(declined.reason, reason);
    }
    shop.test.drain().await;
    shop.store.close();
    for file in std::fs::read_dir(&shop.test.host.data).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let sandbox = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("sandbox");
        let found = bytes.windows(16).any(|bytes| bytes == b"4242424242424242");
        assert!(!(sandbox && found), "{} holds a token", path.display());
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_whether_it_authorised_or_captured() {
    let shop = Shop::open(fast()).await;
    for (number, token) in (1..).zip(["tok_timeout", "tok_capture_timeout"]) {
        let order = order(number);
        shop.place(order, token);
        let waits = async {
            let _: PaymentAuthorized = shop.probe().next_of(&order.key()).await;
            shop.secure(order.id);
            let _: PaymentCaptured = shop.probe().next_of(&order.key()).await;
        };
        passing(&shop.test, waits).await;
    }
    for entry in audit(&shop).await {
        assert_eq!((entry.authorizations, entry.captures), (1, 1), "{entry:?}");
    }
}

#[tokio::test]
async fn a_capture_can_fail() {
    let (shop, order) = (Shop::open(fast()).await, order(1));
    shop.place(order, "tok_capture_fails");
    let _: PaymentAuthorized = shop.probe().next_of(&order.key()).await;
    shop.secure(order.id);
    let failed: PaymentCaptureFailed = shop.probe().next_of(&order.key()).await;
    assert_eq!(failed.reason, "capture_refused");
}

#[tokio::test]
async fn an_action_is_completed_or_declined_by_whom_was_told_its_address() {
    let shop = Shop::open(fast()).await;
    shop.place(order(1), "tok_action");
    let (action, path) = shop.action(order(1)).await;
    assert!(matches!(action, NextAction::Redirect { .. }));
    let page = shop.client.get(&path).send().await.expect(200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let guessed = format!("{}{}", &path[..path.len() - 32], "0".repeat(32));
    shop.client.post(&guessed).send().await.expect(404);
    let unknown = format!("{path}?outcome=maybe");
    shop.client.post(&unknown).send().await.expect(422);
    let done = shop.client.post(&path).send().await.expect(200).value();
    assert_eq!(done["status"], "authorized");
    let _: PaymentAuthorized = shop.probe().next_of(&order(1).key()).await;
    shop.client.post(&path).send().await.expect(409);

    shop.place(order(2), "tok_action");
    let (_, path) = shop.action(order(2)).await;
    let decline = format!("{path}?outcome=decline");
    shop.client.post(&decline).send().await.expect(200);
    let declined: PaymentDeclined = shop.probe().next_of(&order(2).key()).await;
    assert_eq!(declined.reason, "declined_by_customer");
}

#[tokio::test]
async fn a_scanned_code_is_paid_at_once() {
    let (shop, order) = (Shop::open(fast()).await, order(1));
    shop.place(order, "tok_qr");
    let (action, path) = shop.action(order).await;
    assert!(matches!(action, NextAction::Qr { .. }));
    shop.client.post(&path).send().await.expect(200);
    let _: PaymentCaptured = shop.probe().next_of(&order.key()).await;
    shop.secure(order.id);
    shop.test.drain().await;
    assert_eq!(audit(&shop).await[0].captures, 1);
}

#[tokio::test]
async fn hundreds_of_slow_answers_are_waited_for_at_once() {
    const ORDERS: u8 = 200;
    const DELAY: Duration = Duration::from_millis(250);
    let config = SandboxConfig {
        delay_ms: 250,
        ..SandboxConfig::default()
    };
    let shop = Shop::open(config).await;
    let started = Instant::now();
    for number in 1..=ORDERS {
        shop.place(order(number), "tok_ok");
    }
    let mut probe = shop.probe();
    let all = async {
        let mut authorized = 0;
        while authorized < ORDERS {
            let event = probe.next().await;
            authorized += u8::from(event.event_type.starts_with("payment.authorized"));
        }
    };
    soon("all authorisations", all).await;
    let one_by_one = DELAY * u32::from(ORDERS);
    assert!(
        started.elapsed() < one_by_one / 4,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn the_books_survive_the_process_and_count_a_second_key_as_a_second_capture() {
    let test = TestHost::new();
    let order = order(1);
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    let request = |operation, key: &str| ProviderRequest {
        operation,
        reference: order.payment,
        amount: idr(TOTAL_MINOR),
        token: Some(Token("tok_ok".to_owned())),
        refund_id: None,
        idempotency_key: key.to_owned(),
    };
    let open = || Sandbox::open(&test.host, SandboxConfig::default()).unwrap();
    let ask = async |operation, key: &str| {
        let sandbox = open();
        let reply = sandbox
            .handle(&request(operation, key), cause.clone())
            .await;
        reply.unwrap().answer
    };
    let never = ask(Operation::Capture, "c").await;
    assert_eq!(never, ProviderAnswer::NotFound);
    for _ in 0..2 {
        let again = ask(Operation::Authorize, "a").await;
        assert_eq!(again, ProviderAnswer::Authorized);
    }
    for key in ["c", "c", "another"] {
        assert_eq!(ask(Operation::Capture, key).await, ProviderAnswer::Captured);
    }
    let late = ask(Operation::Void, "v").await;
    assert_eq!(late, ProviderAnswer::Captured);
    let books = open().audit(None, 10).await.unwrap();
    assert_eq!((books[0].authorizations, books[0].captures), (1, 2));
    assert_eq!(books[0].captured_minor, 2 * TOTAL_MINOR);
    assert_eq!(open().audit(Some(order.payment), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_void_that_comes_first_refuses_the_authorisation() {
    let test = TestHost::new();
    let sandbox = Sandbox::open(&test.host, SandboxConfig::default()).unwrap();
    let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
    for operation in [Operation::Void, Operation::Authorize, Operation::Capture] {
        let request = ProviderRequest {
            operation,
            reference: order(1).payment,
            amount: idr(TOTAL_MINOR),
            token: Some(Token("tok_ok".to_owned())),
            refund_id: None,
            idempotency_key: operation.to_string(),
        };
        let reply = sandbox.handle(&request, cause.clone()).await.unwrap();
        assert_eq!(reply.answer, ProviderAnswer::Voided, "{operation}");
    }
    let acted = sandbox
        .act("nonsense", ActionOutcome::Complete, cause)
        .await;
    assert_eq!(
        acted.unwrap(),
        pasar_payments::sandbox::books::Acted::NotFound
    );
}

#[tokio::test]
async fn the_state_in_the_books_is_the_state_of_the_payment() {
    let (shop, order) = (Shop::open(fast()).await, order(1));
    shop.place(order, "tok_ok");
    let _: PaymentAuthorized = shop.probe().next_of(&order.key()).await;
    assert_eq!(
        audit(&shop).await[0].state,
        PaymentState::Authorized.as_str()
    );
}

/// The books as an audit reads them, beside the service.
async fn audit(shop: &Shop) -> Vec<pasar_payments::sandbox::books::BookEntry> {
    let sandbox = Sandbox::open(&shop.test.host, SandboxConfig::default()).unwrap();
    sandbox.audit(None, 100).await.unwrap()
}

async fn passing<T>(test: &TestHost, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    loop {
        tokio::select! {
            value = &mut future => return value,
            _ = tick.tick() => test.advance(Duration::from_secs(1)),
        }
    }
}
