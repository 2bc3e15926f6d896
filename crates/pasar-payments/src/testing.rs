//! What the tests of commands need: a store that runs on the test's own thread, and a report of what
//! one command did.

use std::{collections::BTreeMap, fmt::Write as _, ops::Deref, time::Duration};

use pasar_contracts::{
    api::payments::{ProviderAnswer, Token},
    event::Service,
};
use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    effect::Effect,
    fault::Fault,
};
use pasar_testkit::{names::Names, store::TestStore};
use pasar_types::{
    id::{FlowId, LocationId, OrderId, PaymentId, RefundId},
    money::{Currency, Money},
};

use crate::{
    MIGRATIONS,
    commands::{
        capture_payment::{CapturePayment, capture_payment},
        initiate_payment::{InitiatePayment, initiate_payment},
        record_answer::{RecordAnswer, record_answer},
    },
    effects::work::Work,
    payment::payment_of,
    tables,
};

pub(crate) const ORDER: OrderId = OrderId::from_bytes([1; 16]);
pub(crate) const LOCATION: LocationId = LocationId::from_bytes([2; 16]);
pub(crate) const FLOW: FlowId = FlowId::from_bytes([3; 16]);
pub(crate) const REFUND: RefundId = RefundId::from_bytes([4; 16]);
pub(crate) const OTHER_REFUND: RefundId = RefundId::from_bytes([5; 16]);
pub(crate) const PAYMENT: PaymentId = payment_of(ORDER);
const MOST_ROWS: usize = 100;

pub(crate) const fn idr(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::IDR)
}

/// A store in which one order's payment is brought to where a test begins.
pub(crate) struct Bench(TestStore);

impl Deref for Bench {
    type Target = TestStore;

    fn deref(&self) -> &TestStore {
        &self.0
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self(TestStore::open(Service::Payments, MIGRATIONS))
    }

    /// Runs a command in the order's flow.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let cause = Cause::new(Actor::Service(Service::Orders), FLOW);
        self.0.run_in(cause, command)
    }

    /// A payment by a provider whose authorisation is asked for.
    pub(crate) fn initiated(self) -> Self {
        self.run(|ctx| initiate_payment(ctx, by("sandbox")))
            .unwrap();
        self
    }

    pub(crate) fn authorized(self) -> Self {
        self.initiated().answered(ProviderAnswer::Authorized)
    }

    pub(crate) fn capturing(self) -> Self {
        let bench = self.authorized();
        bench
            .run(|ctx| capture_payment(ctx, CapturePayment { order_id: ORDER }))
            .unwrap();
        bench
    }

    pub(crate) fn captured(self) -> Self {
        self.capturing().answered(ProviderAnswer::Captured)
    }

    pub(crate) fn declined(self) -> Self {
        let reason = "card_declined".to_owned();
        self.initiated()
            .answered(ProviderAnswer::Declined { reason })
    }

    /// Cash to be paid at the counter.
    pub(crate) fn due(self) -> Self {
        self.run(|ctx| initiate_payment(ctx, by("cash"))).unwrap();
        self
    }

    pub(crate) fn paid_in_cash(self) -> Self {
        use crate::commands::capture_cash::{CaptureCash, capture_cash};
        let bench = self.due();
        let command = CaptureCash {
            payment_id: PAYMENT,
        };
        bench.run(move |ctx| capture_cash(ctx, command)).unwrap();
        bench
    }

    pub(crate) fn then<T: Send + 'static>(
        self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Self {
        self.run(command).unwrap();
        self
    }

    /// The provider answers the effect that waits.
    pub(crate) fn answered(self, answer: ProviderAnswer) -> Self {
        let effect = self.effects().pop().expect("an effect waits");
        let command = answer_to(&effect, answer);
        self.then(move |ctx| record_answer(ctx, command.clone()))
    }

    pub(crate) fn later(self, span: Duration) -> Self {
        self.advance(span);
        self
    }

    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.store.effects_after(0, MOST_ROWS).unwrap()
    }

    /// Runs a command and tells its outcome, its events, and the rows as they stand after it.
    pub(crate) fn report<T: std::fmt::Debug + Send + 'static>(
        &self,
        command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> String {
        let (head, entries) = (self.store.head(), self.ledger().len());
        let outcome = self.run(command);
        let mut report = match outcome {
            Ok(outcome) => format!("{outcome:?}\n"),
            Err(fault) => format!("fault: {fault}\n"),
        };
        for event in self.store.events_after(head, MOST_ROWS).unwrap() {
            let mut data: BTreeMap<String, serde_json::Value> =
                serde_json::from_str(&event.data).unwrap();
            for id in ["payment_id", "order_id", "location_id"] {
                data.remove(id).expect("every event carries the ids");
            }
            assert_eq!(
                (event.key.as_str(), event.flow),
                (&*ORDER.to_string(), FLOW)
            );
            let data = serde_json::to_string(&data).unwrap();
            let private = event.private.as_ref().map_or("", |_| " and a private part");
            let (version, name) = (event.keyversion, &event.event_type);
            writeln!(report, "event {version} {name} {data}{private}").unwrap();
        }
        for line in self.ledger().split_off(entries) {
            writeln!(report, "ledger {line}").unwrap();
        }
        self.rows(&mut report);
        Names::default().shorten(&report)
    }

    fn rows(&self, report: &mut String) {
        let payment = self
            .store
            .read_now(|tx| tables::payment::find(tx, PAYMENT))
            .unwrap();
        if let Some(payment) = payment {
            let (state, goal) = (payment.state, payment.goal.as_str());
            write!(report, "payment {state}, goal {goal}").unwrap();
            for (name, minor) in [
                ("captured", payment.captured_minor),
                ("refunded", payment.refunded_minor),
                ("refunding", payment.refunding_minor),
            ] {
                if minor != 0 {
                    write!(report, ", {name} {minor}").unwrap();
                }
            }
            report.push('\n');
        }
        for effect in self.effects() {
            let work: Work = effect.decode().unwrap();
            let due = effect.due.since(self.now()).as_secs();
            let later = if due > 0 { " later" } else { "" };
            writeln!(
                report,
                "effect {} {}{later}",
                effect.kind, work.amount.amount_minor
            )
            .unwrap();
        }
        let far = self.now() + Duration::from_secs(1_000_000);
        for timer in self.store.due_timers(far, MOST_ROWS).unwrap() {
            let due = timer.due.since(self.now()).as_secs();
            writeln!(report, "timer {} in {due} s", timer.kind).unwrap();
        }
    }

    fn ledger(&self) -> Vec<String> {
        self.store
            .read_now(|tx| {
                tx.query_all(
                    "SELECT account, amount_minor FROM ledger_entry ORDER BY sequence",
                    &[],
                    |row| Ok(format!("{} {}", row.get::<String>(0)?, row.get::<i64>(1)?)),
                )
            })
            .unwrap()
    }
}

/// What an order of Rp 25 000 asks for.
pub(crate) fn by(method: &str) -> InitiatePayment {
    InitiatePayment {
        order_id: ORDER,
        location_id: LOCATION,
        method: method.to_owned(),
        method_known: true,
        amount: idr(2_500_000),
        token: Some(Token("tok_ok".to_owned())),
    }
}

/// The result of an effect.
pub(crate) fn answer_to(effect: &Effect, answer: ProviderAnswer) -> RecordAnswer {
    let work: Work = effect.decode().unwrap();
    RecordAnswer {
        payment_id: work.payment_id,
        effect: Some(effect.id),
        operation: work.operation,
        refund_id: work.refund_id,
        answer,
    }
}
