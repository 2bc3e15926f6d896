//! Whatever comes in whatever order: the books balance, nothing is taken twice, nothing is given back
//! twice, and a cancelled order keeps no money.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pasar_contracts::{
    api::payments::{Operation, PaymentState, ProviderAnswer, Token},
    event::Service,
};
use pasar_payments::{
    MIGRATIONS,
    commands::{
        cancel_payment::{CancelPayment, cancel_payment},
        capture_payment::{CapturePayment, capture_payment},
        give_back_again::{GiveBackAgain, give_back_again},
        initiate_payment::{InitiatePayment, initiate_payment},
        look_up_payment::{LookUpPayment, look_up_payment},
        record_answer::{RecordAnswer, record_answer},
        request_refund::{RequestRefund, request_refund},
    },
    effects::work::Work,
};
use pasar_testkit::{probe::soon, store::TestStore};
use pasar_types::id::RefundId;
use proptest::prelude::*;
use tokio::sync::Semaphore;

use crate::{
    fake_provider::{Trick, declined, requires_action},
    system::{LOCATION, Order, System, TOTAL_MINOR, idr, order},
};

/// Something that reaches the service.
#[derive(Clone, Debug)]
enum Input {
    Secure,
    Cancel {
        by_staff: bool,
    },
    Refund {
        number: u8,
        minor: i64,
    },
    /// The effect in flight is answered; by a stale worker, it is answered again.
    Answer {
        answer: ProviderAnswer,
        stale: bool,
    },
    /// The provider tells something without being asked.
    Tell(ProviderAnswer),
    LookUp,
    Wait,
}

fn answers() -> impl Strategy<Value = ProviderAnswer> {
    prop_oneof![
        4 => Just(ProviderAnswer::Authorized),
        4 => Just(ProviderAnswer::Captured),
        2 => Just(declined("no")),
        2 => Just(ProviderAnswer::Voided),
        4 => Just(ProviderAnswer::Refunded),
        1 => Just(requires_action()),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        2 => Just(Input::Secure),
        1 => any::<bool>().prop_map(|by_staff| Input::Cancel { by_staff }),
        3 => (1..6_u8, -1..=TOTAL_MINOR).prop_map(|(number, minor)| Input::Refund { number, minor }),
        6 => (answers(), any::<bool>())
            .prop_map(|(answer, stale)| Input::Answer { answer, stale }),
        2 => answers().prop_map(Input::Tell),
        1 => Just(Input::LookUp),
        1 => Just(Input::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_books_balance_and_versions_are_contiguous(
        cash in any::<bool>(),
        inputs in prop::collection::vec(inputs(), 1..30),
    ) {
        let test = TestStore::open(Service::Payments, MIGRATIONS);
        let order = order(1);
        let method = if cash { "cash" } else { "fake" };
        let initiate = InitiatePayment {
            order_id: order.id,
            location_id: LOCATION,
            method: method.to_owned(),
            method_known: true,
            amount: idr(TOTAL_MINOR),
            token: Some(Token("tok_ok".to_owned())),
        };
        test.given(move |ctx| initiate_payment(ctx, initiate.clone()));
        for input in inputs {
            feed(&test, order, input);
            sound(&test, order);
        }
    }

    #[test]
    fn however_the_provider_fails_the_money_ends_where_it_belongs(story in stories()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(live(story));
    }
}

fn feed(test: &TestStore, order: Order, input: Input) {
    let payment_id = order.payment;
    match input {
        Input::Secure => {
            let command = CapturePayment { order_id: order.id };
            test.given(move |ctx| capture_payment(ctx, command));
        }
        Input::Cancel { by_staff } => {
            let command = CancelPayment {
                order_id: order.id,
                location_id: LOCATION,
                by_staff,
            };
            test.given(move |ctx| cancel_payment(ctx, command));
        }
        Input::Refund { number, minor } => {
            let command = RequestRefund {
                order_id: order.id,
                refund_id: RefundId::from_bytes([number; 16]),
                amount: idr(minor),
            };
            test.given(move |ctx| request_refund(ctx, command));
        }
        Input::Answer { answer, stale } => {
            for effect in test.store.effects_after(0, 1).unwrap() {
                let work: Work = effect.decode().unwrap();
                if !makes_sense(&work, &answer) {
                    continue;
                }
                let command = RecordAnswer {
                    payment_id,
                    effect: Some(effect.id),
                    operation: work.operation,
                    refund_id: work.refund_id,
                    answer: answer.clone(),
                };
                for _ in 0..=u8::from(stale) {
                    let command = command.clone();
                    test.given(move |ctx| record_answer(ctx, command.clone()));
                }
            }
        }
        Input::Tell(answer) => {
            let command = RecordAnswer {
                payment_id,
                effect: None,
                operation: Operation::LookUp,
                refund_id: None,
                answer,
            };
            test.given(move |ctx| record_answer(ctx, command.clone()));
        }
        Input::LookUp => {
            test.given(move |ctx| look_up_payment(ctx, LookUpPayment { payment_id }));
        }
        Input::Wait => {
            test.advance(Duration::from_secs(6 * 60 * 60));
            test.given(move |ctx| give_back_again(ctx, GiveBackAgain { payment_id }));
        }
    }
}

/// The worker lets no other answers through.
fn makes_sense(work: &Work, answer: &ProviderAnswer) -> bool {
    match (work.refund_id, answer) {
        (Some(_), ProviderAnswer::Refunded | ProviderAnswer::Declined { .. }) => true,
        (Some(_), _) | (None, ProviderAnswer::Refunded) => false,
        (None, _) => true,
    }
}

/// What must hold after every command.
fn sound(test: &TestStore, order: Order) {
    let (captured, refunded, refunding, in_flight) = test
        .store
        .read_now(|tx| {
            tx.query_one(
                "SELECT captured_minor, refunded_minor, refunding_minor, in_flight FROM payment",
                &[],
                |row| {
                    Ok((
                        row.get::<i64>(0)?,
                        row.get::<i64>(1)?,
                        row.get::<i64>(2)?,
                        row.get::<Option<String>>(3)?,
                    ))
                },
            )
        })
        .unwrap();
    assert!(captured - refunded - refunding >= 0);
    let entries = test
        .store
        .read_now(|tx| {
            tx.query_all(
                "SELECT account, amount_minor FROM ledger_entry ORDER BY sequence",
                &[],
                |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)),
            )
        })
        .unwrap();
    for pair in entries.chunks(2) {
        assert_eq!(pair.iter().map(|(_, minor)| minor).sum::<i64>(), 0);
    }
    let balance = |account: &str| {
        let of = entries.iter().filter(|(name, _)| name == account);
        of.map(|(_, minor)| minor).sum::<i64>()
    };
    assert_eq!(
        (-balance("sales"), balance("refunds")),
        (captured, refunded)
    );
    let effects = test.store.effects_after(0, 10).unwrap();
    let kinds: Vec<_> = effects.iter().map(|effect| effect.kind.clone()).collect();
    assert_eq!(kinds, Vec::from_iter(in_flight));
    let events = test.store.events_of(&order.key(), 0, 1_000).unwrap();
    for (event, version) in events.iter().zip(1..) {
        assert_eq!(event.keyversion, version);
    }
    let captures = events
        .iter()
        .filter(|event| event.event_type == "payment.captured.v1");
    assert!(captures.count() <= 1);
}

/// What happens to one order whose provider cannot be relied on.
#[derive(Clone, Debug)]
struct Story {
    token: &'static str,
    tricks: Vec<(Operation, Failure)>,
    secured: bool,
    refunds: Vec<i64>,
    cancelled: Option<Moment>,
    /// The provider tells of what it did, this often, as well.
    tells: u8,
    restart: bool,
}

#[derive(Clone, Copy, Debug)]
enum Failure {
    LoseAnswer,
    LoseRequest,
    Delay,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    AtOnce,
    WhenSecured,
    AtTheEnd,
}

fn stories() -> impl Strategy<Value = Story> {
    let operation = prop::sample::select(Operation::ALL);
    let failure = prop_oneof![
        Just(Failure::LoseAnswer),
        Just(Failure::LoseRequest),
        Just(Failure::Delay)
    ];
    let moment = prop_oneof![
        Just(Moment::AtOnce),
        Just(Moment::WhenSecured),
        Just(Moment::AtTheEnd)
    ];
    (
        prop::sample::select(&["tok_ok", "tok_ok", "tok_ok", "tok_declined"][..]),
        prop::collection::vec((operation, failure), 0..6),
        any::<bool>(),
        prop::collection::vec(1..=TOTAL_MINOR, 0..4),
        prop::option::of(moment),
        0..3_u8,
        any::<bool>(),
    )
        .prop_map(
            |(token, tricks, secured, refunds, cancelled, tells, restart)| Story {
                token,
                tricks,
                secured,
                refunds,
                cancelled,
                tells,
                restart,
            },
        )
}

async fn live(story: Story) {
    let (mut system, order) = (System::start(), order(1));
    let permits = Arc::new(Semaphore::new(0));
    for (operation, failure) in &story.tricks {
        let trick = match failure {
            Failure::LoseAnswer => Trick::LoseAnswer,
            Failure::LoseRequest => Trick::LoseRequest,
            Failure::Delay => Trick::HoldAnswer(Arc::clone(&permits)),
        };
        system.provider.trick(*operation, trick);
    }
    system.place(order, story.token);
    if story.cancelled == Some(Moment::AtOnce) {
        system.cancel(order, false);
    }
    system.caught_up().await;
    tell(&system, order, &story).await;
    permits.add_permits(100);
    quiet(&system, order).await;
    if story.secured && system.provider.charge(order.payment).held {
        system.secure(order);
    }
    if story.cancelled == Some(Moment::WhenSecured) {
        system.cancel(order, false);
    }
    if story.restart {
        system.restart().await;
    }
    tell(&system, order, &story).await;
    quiet(&system, order).await;
    for (number, minor) in (10..).zip(&story.refunds) {
        system.refund(order, number, *minor);
    }
    if story.cancelled == Some(Moment::AtTheEnd) {
        system.cancel(order, false);
    }
    quiet(&system, order).await;
    settled(&system, order, &story).await;
}

/// The provider repeats what it knows, as often as it likes.
async fn tell(system: &System, order: Order, story: &Story) {
    let charge = system.provider.charge(order.payment);
    let answer = if !charge.capture_keys.is_empty() {
        ProviderAnswer::Captured
    } else if charge.held {
        ProviderAnswer::Authorized
    } else {
        return;
    };
    for number in 0..story.tells {
        let notice = pasar_contracts::api::payments::ProviderNotice {
            reference: order.payment,
            refund_id: None,
            answer: answer.clone(),
        };
        let id = format!("{}-{number}", system.orders.now());
        system.notify(&id, &notice).await.expect(204);
    }
}

/// Waits until orders' feed is read and nothing is asked or to be asked of the provider.
async fn quiet(system: &System, order: Order) {
    system.caught_up().await;
    let waits = async {
        loop {
            let timers = system.store.next_timer_due().unwrap();
            let effects = system.store.effects_after(0, 1).unwrap();
            if timers.is_none() && effects.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let what = format!("quiet after {:?}", system.events(order));
    system.passing(soon(&what, waits)).await;
}

/// The provider's books and ours agree, and nobody was charged for nothing.
async fn settled(system: &System, order: Order, story: &Story) {
    let charge = system.provider.charge(order.payment);
    let balances: BTreeMap<_, _> = system.balances().await;
    let ours = balances.get("provider:fake").copied().unwrap_or(0);
    let theirs = charge.captured_minor() - charge.refunded_minor();
    assert_eq!(ours, theirs, "{story:?}");
    assert!(charge.capture_keys.len() <= 1, "{charge:?}");
    assert!(charge.authorize_keys.len() <= 1, "{charge:?}");
    assert!(theirs >= 0, "{charge:?}");
    let answer = system.get(&format!("/v1/payments/{}", order.payment)).await;
    let payment: pasar_contracts::api::payments::Payment = answer.expect(200).json();
    if story.cancelled.is_some() {
        assert_eq!((theirs, charge.held), (0, false), "{story:?}");
        let events = system.events(order);
        let answers = ["voided", "refunded", "declined"];
        assert!(
            events.iter().any(|event| answers.contains(&event.as_str())),
            "{events:?}"
        );
    } else if story.token == "tok_ok" {
        let held = PaymentState::Authorized;
        assert!(
            charge.held || theirs > 0 || payment.state != held,
            "{story:?}"
        );
        assert_eq!(charge.held, payment.state == held, "{story:?}");
    }
}
