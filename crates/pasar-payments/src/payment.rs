//! One payment and its rules: which facts are news in which state, and what is due next.
//!
//! Pure values. A command loads a payment, applies one fact, and stores it with what follows.

use std::time::Duration;

use pasar_contracts::{
    api::payments::{Operation, PaymentState},
    events::payments::{PaymentRef, VoidReason},
};
use pasar_types::{
    id::{FlowId, LocationId, OrderId, PaymentId},
    money::{Currency, Money},
    time::Timestamp,
};

/// ISO 4217's code for "no currency": what the tombstone of an unknown payment has.
pub const NO_CURRENCY: &str = "XXX";

/// The method that has no provider: staff takes the money and hands it back.
pub const CASH: &str = "cash";

/// A refused refund of a cancelled order is asked for again after these, and then ever after the last.
const REFUSAL_PAUSES: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// What its order wants of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Hold the money, or wait for cash.
    Hold,
    Capture,
    /// Hold nothing and give back what was taken. Never taken back.
    Undo,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Payment {
    pub id: PaymentId,
    pub location_id: LocationId,
    pub flow: FlowId,
    pub method: String,
    pub amount: Money,
    pub state: PaymentState,
    pub goal: Goal,
    /// Its order asked to cancel, which is answered once.
    pub cancelling: bool,
    pub in_flight: Option<Operation>,
    pub letting_go: bool,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    pub refunding_minor: i64,
    pub reason: Option<String>,
    pub action_expires_at: Option<Timestamp>,
    pub refusals: u32,
    pub resting_until: Option<Timestamp>,
    pub keyversion: i64,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub authorized_at: Option<Timestamp>,
    pub captured_at: Option<Timestamp>,
}

/// What a payment asks of its provider next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    Capture,
    Void,
    /// The oldest refund that was requested.
    Refund,
    /// All that is left of what was captured, as a refund of its own.
    GiveBack,
}

/// Whether a fact changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The state changed: publish it.
    Changed,
    /// It was known, or a later fact was: nothing to publish.
    Old,
    /// It concerns a payment that is closed here: undo it at the provider, quietly.
    Late,
}

/// The payment of an order: the same UUID under the prefix of payments.
#[must_use]
pub const fn payment_of(order: OrderId) -> PaymentId {
    PaymentId::from_uuid(order.uuid())
}

/// The order of a payment.
#[must_use]
pub const fn order_of(payment: PaymentId) -> OrderId {
    OrderId::from_uuid(payment.uuid())
}

impl Goal {
    pub const ALL: &[Self] = &[Self::Hold, Self::Capture, Self::Undo];

    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Undo => "undo",
        }
    }
}

impl Payment {
    #[must_use]
    pub fn new(
        id: PaymentId,
        location_id: LocationId,
        flow: FlowId,
        method: String,
        amount: Money,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            location_id,
            flow,
            method,
            amount,
            state: PaymentState::Pending,
            goal: Goal::Hold,
            cancelling: false,
            in_flight: None,
            letting_go: false,
            captured_minor: 0,
            refunded_minor: 0,
            refunding_minor: 0,
            reason: None,
            action_expires_at: None,
            refusals: 0,
            resting_until: None,
            keyversion: 0,
            version: 1,
            created_at: now,
            updated_at: now,
            authorized_at: None,
            captured_at: None,
        }
    }

    /// Stands for an order that was cancelled before it was heard of, and refuses it later.
    #[must_use]
    pub fn tombstone(id: PaymentId, location_id: LocationId, flow: FlowId, now: Timestamp) -> Self {
        let none: Currency = NO_CURRENCY.parse().expect("three capital letters");
        Self {
            state: PaymentState::Voided,
            goal: Goal::Undo,
            cancelling: true,
            ..Self::new(id, location_id, flow, String::new(), Money::zero(none), now)
        }
    }

    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        order_of(self.id)
    }

    #[must_use]
    pub const fn reference(&self) -> PaymentRef {
        PaymentRef {
            payment_id: self.id,
            order_id: self.order_id(),
            location_id: self.location_id,
        }
    }

    #[must_use]
    pub const fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.amount.currency)
    }

    #[must_use]
    pub fn is_cash(&self) -> bool {
        self.method == CASH
    }

    /// A cancelled order's cash is still in the drawer, and nobody said that it was handed back.
    #[must_use]
    pub fn awaits_hand_back(&self) -> bool {
        self.is_cash() && self.goal == Goal::Undo && self.refundable_minor() > 0
    }

    /// What was captured and is neither given back nor being given back.
    #[must_use]
    pub const fn refundable_minor(&self) -> i64 {
        self.captured_minor - self.refunded_minor - self.refunding_minor
    }

    /// Nothing is held, and nothing that was taken is still here.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        let holds = matches!(
            self.state,
            PaymentState::Pending
                | PaymentState::RequiresAction
                | PaymentState::Due
                | PaymentState::Authorized
        );
        !holds && self.captured_minor == self.refunded_minor
    }

    /// What to ask of the provider now. Cash has no provider: its commands decide at once.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Next {
        if self.in_flight.is_some() || self.is_cash() {
            return Next::Nothing;
        }
        if self.refunding_minor > 0 {
            return Next::Refund;
        }
        let holds = matches!(
            self.state,
            PaymentState::Authorized | PaymentState::RequiresAction
        );
        let resting = self.resting_until.is_some_and(|until| now < until);
        match self.goal {
            _ if self.letting_go => Next::Void,
            Goal::Capture if self.state == PaymentState::Authorized => Next::Capture,
            Goal::Undo if self.refundable_minor() > 0 && resting => Next::Nothing,
            Goal::Undo if self.refundable_minor() > 0 => Next::GiveBack,
            Goal::Undo if holds => Next::Void,
            Goal::Hold | Goal::Capture | Goal::Undo => Next::Nothing,
        }
    }

    /// The provider holds the money.
    pub fn authorize(&mut self, now: Timestamp) -> News {
        match self.state {
            PaymentState::Pending | PaymentState::RequiresAction => {
                self.state = PaymentState::Authorized;
                self.authorized_at = Some(now);
                self.action_expires_at = None;
                News::Changed
            }
            PaymentState::Declined | PaymentState::Voided => {
                self.letting_go = true;
                News::Late
            }
            _ => News::Old,
        }
    }

    /// The customer must act until a time.
    pub const fn require_action(&mut self, expires_at: Timestamp) -> News {
        match self.state {
            PaymentState::Pending => {
                self.state = PaymentState::RequiresAction;
                self.action_expires_at = Some(expires_at);
                News::Changed
            }
            _ => News::Old,
        }
    }

    pub fn decline(&mut self, reason: String) -> News {
        match self.state {
            PaymentState::Pending | PaymentState::RequiresAction => {
                self.state = PaymentState::Declined;
                self.reason = Some(reason);
                self.action_expires_at = None;
                News::Changed
            }
            _ => News::Old,
        }
    }

    /// The whole amount was taken. `Late` money is booked too, and goes back.
    pub fn capture(&mut self, now: Timestamp) -> News {
        if self.captured_at.is_some() {
            return News::Old;
        }
        self.captured_minor = self.amount.amount_minor;
        self.captured_at = Some(now);
        self.letting_go = false;
        match self.state {
            PaymentState::Declined | PaymentState::Voided => {
                self.goal = Goal::Undo;
                News::Late
            }
            _ => {
                self.state = PaymentState::Captured;
                self.action_expires_at = None;
                News::Changed
            }
        }
    }

    /// The capture is refused for good; what is held stays held until the order says what now.
    pub fn fail_capture(&mut self, reason: String) -> News {
        if self.state != PaymentState::Authorized || self.reason.is_some() {
            return News::Old;
        }
        self.reason = Some(reason);
        if self.goal == Goal::Capture {
            self.goal = Goal::Hold;
        }
        News::Changed
    }

    /// The provider holds nothing (any more).
    pub const fn void(&mut self) -> News {
        self.letting_go = false;
        match self.state {
            PaymentState::Pending
            | PaymentState::RequiresAction
            | PaymentState::Due
            | PaymentState::Authorized => {
                self.state = PaymentState::Voided;
                self.action_expires_at = None;
                News::Changed
            }
            _ => News::Old,
        }
    }

    #[must_use]
    pub const fn void_reason(&self) -> VoidReason {
        match self.goal {
            Goal::Undo => VoidReason::Requested,
            Goal::Hold | Goal::Capture => VoidReason::Lapsed,
        }
    }

    /// A requested refund was paid out.
    pub const fn refund(&mut self, amount_minor: i64) {
        self.refunding_minor -= amount_minor;
        self.refunded_minor += amount_minor;
        self.refusals = 0;
        self.resting_until = None;
        self.state = if self.refunded_minor == self.captured_minor {
            PaymentState::Refunded
        } else {
            PaymentState::PartiallyRefunded
        };
    }

    /// A requested refund was refused. If a cancelled order wants the money back, returns when to ask again.
    pub fn fail_refund(&mut self, amount_minor: i64, now: Timestamp) -> Option<Timestamp> {
        self.refunding_minor -= amount_minor;
        if self.goal != Goal::Undo {
            return None;
        }
        let last = REFUSAL_PAUSES.len() - 1;
        let step = usize::try_from(self.refusals).map_or(last, |refusals| refusals.min(last));
        self.refusals = self.refusals.saturating_add(1);
        self.resting_until = Some(now + REFUSAL_PAUSES[step]);
        self.resting_until
    }
}

#[cfg(test)]
mod tests;
