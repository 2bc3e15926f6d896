//! A provider in the test's hand: it keeps books, counts what it takes by idempotency key, and loses,
//! delays or never gets what it is told to.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use pasar_contracts::{
    api::payments::{Operation, ProviderAnswer, ProviderRequest},
    events::payments::NextAction,
};
use pasar_payments::provider::{Call, NoAnswer, Provider};
use pasar_types::{
    id::{PaymentId, RefundId},
    time::Timestamp,
};
use tokio::sync::Semaphore;

/// What goes wrong with one call.
#[derive(Clone)]
pub(crate) enum Trick {
    /// It takes effect, and the answer is lost.
    LoseAnswer,
    /// It does not even arrive.
    LoseRequest,
    /// It takes effect, and the answer waits for a permit.
    HoldAnswer(Arc<Semaphore>),
    /// The answer is this, whatever was done: nothing is.
    Say(ProviderAnswer),
}

/// What the provider itself knows of one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) held: bool,
    pub(crate) acting: bool,
    pub(crate) voided: bool,
    pub(crate) authorize_keys: BTreeSet<String>,
    /// Each is money taken.
    pub(crate) capture_keys: BTreeSet<String>,
    pub(crate) amount_minor: i64,
    pub(crate) refunds: BTreeMap<RefundId, i64>,
}

#[derive(Default)]
pub(crate) struct FakeProvider {
    charges: Mutex<BTreeMap<PaymentId, Charge>>,
    tricks: Mutex<VecDeque<(Operation, Trick)>>,
    calls: Mutex<Vec<ProviderRequest>>,
}

impl Charge {
    pub(crate) fn captured_minor(&self) -> i64 {
        self.amount_minor * i64::try_from(self.capture_keys.len()).unwrap()
    }

    pub(crate) fn refunded_minor(&self) -> i64 {
        self.refunds.values().sum()
    }

    fn answer(&self) -> ProviderAnswer {
        if !self.capture_keys.is_empty() {
            ProviderAnswer::Captured
        } else if self.held {
            ProviderAnswer::Authorized
        } else if self.acting {
            requires_action()
        } else if self.voided {
            ProviderAnswer::Voided
        } else {
            declined("card_declined")
        }
    }
}

impl FakeProvider {
    /// The next call of an operation goes wrong like this.
    pub(crate) fn trick(&self, operation: Operation, trick: Trick) {
        self.tricks.lock().unwrap().push_back((operation, trick));
    }

    pub(crate) fn charge(&self, payment: PaymentId) -> Charge {
        let charges = self.charges.lock().unwrap();
        charges.get(&payment).cloned().unwrap_or_default()
    }

    pub(crate) fn change(&self, payment: PaymentId, change: impl FnOnce(&mut Charge)) {
        change(self.charges.lock().unwrap().get_mut(&payment).unwrap());
    }

    /// The operations that were called for a payment, in order.
    pub(crate) fn calls(&self, payment: PaymentId) -> Vec<Operation> {
        self.requests(payment)
            .iter()
            .map(|request| request.operation)
            .collect()
    }

    pub(crate) fn requests(&self, payment: PaymentId) -> Vec<ProviderRequest> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|request| request.reference == payment)
            .cloned()
            .collect()
    }

    fn take_trick(&self, operation: Operation) -> Option<Trick> {
        let mut tricks = self.tricks.lock().unwrap();
        let place = tricks.iter().position(|(of, _)| *of == operation)?;
        tricks.remove(place).map(|(_, trick)| trick)
    }

    fn perform(&self, request: &ProviderRequest) -> ProviderAnswer {
        let mut charges = self.charges.lock().unwrap();
        let known = charges.contains_key(&request.reference);
        if !known && !matches!(request.operation, Operation::Authorize | Operation::Void) {
            return ProviderAnswer::NotFound;
        }
        let charge = charges.entry(request.reference).or_default();
        let key = request.idempotency_key.clone();
        match request.operation {
            Operation::Authorize if charge.voided => ProviderAnswer::Voided,
            Operation::Authorize => {
                if charge.authorize_keys.insert(key) && charge.capture_keys.is_empty() {
                    charge.amount_minor = request.amount.amount_minor;
                    let token = request.token.as_ref().map_or("", |token| &token.0);
                    charge.held = token == "tok_ok";
                    charge.acting = token == "tok_action";
                }
                charge.answer()
            }
            Operation::Capture if charge.held || !charge.capture_keys.is_empty() => {
                charge.held = false;
                charge.capture_keys.insert(key);
                ProviderAnswer::Captured
            }
            Operation::Capture => declined("not_authorized"),
            Operation::Void if !charge.capture_keys.is_empty() => ProviderAnswer::Captured,
            Operation::Void => {
                (charge.held, charge.acting, charge.voided) = (false, false, true);
                ProviderAnswer::Voided
            }
            Operation::Refund => {
                let left = charge.captured_minor() - charge.refunded_minor();
                match charge.refunds.entry(request.refund_id.unwrap()) {
                    Entry::Vacant(_) if request.amount.amount_minor > left => {
                        declined("exceeds_captured")
                    }
                    refund => {
                        refund.or_insert(request.amount.amount_minor);
                        ProviderAnswer::Refunded
                    }
                }
            }
            Operation::LookUp => match request.refund_id {
                Some(id) if charge.refunds.contains_key(&id) => ProviderAnswer::Refunded,
                Some(_) => ProviderAnswer::NotFound,
                None => charge.answer(),
            },
        }
    }
}

impl Provider for FakeProvider {
    fn call<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<ProviderAnswer, NoAnswer>> {
        let request = &call.request;
        self.calls.lock().unwrap().push(request.clone());
        let trick = self.take_trick(request.operation);
        let lost = || Err(NoAnswer::Timeout(Duration::from_secs(10)));
        Box::pin(async move {
            match trick {
                None => Ok(self.perform(request)),
                Some(Trick::LoseRequest) => lost(),
                Some(Trick::Say(answer)) => Ok(answer),
                Some(Trick::LoseAnswer) => {
                    self.perform(request);
                    lost()
                }
                Some(Trick::HoldAnswer(permits)) => {
                    let answer = self.perform(request);
                    permits.acquire().await.unwrap().forget();
                    Ok(answer)
                }
            }
        })
    }
}

pub(crate) fn declined(reason: &str) -> ProviderAnswer {
    ProviderAnswer::Declined {
        reason: reason.to_owned(),
    }
}

/// An action that the tests' clock reaches after ten minutes.
pub(crate) fn requires_action() -> ProviderAnswer {
    let next_action = NextAction::Redirect {
        url: "https://bank.example/3ds".to_owned(),
        expires_at: "2026-01-01T00:10:00Z".parse::<Timestamp>().unwrap(),
    };
    ProviderAnswer::RequiresAction { next_action }
}
