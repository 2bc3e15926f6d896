//! An order as its process sees it: what a fact brings, what a decision writes, what it then tells.
//!
//! Pure: no transaction, no clock. Its lines and its note never change and are not part of it.

use std::time::Duration;

use pasar_contracts::{
    api::{
        orders::{CancelReason, RefundState},
        payments::PaymentState,
    },
    events::{
        inventory::Shortage,
        orders::OrderRef,
        payments::{NextAction, VoidReason},
    },
};
use pasar_types::{
    id::{FlowId, LocationId, OrderId, UserId},
    money::{Currency, Money},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    fact::{Fact, Told},
    process::{Decision, Facts, Input, Leg, Stage, decide},
};

#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub id: OrderId,
    /// Of the row: each update names the one it read.
    pub version: i64,
    /// Of the feed: each change is one event.
    pub keyversion: i64,
    pub flow: FlowId,
    pub location: LocationId,
    pub number: i64,
    pub customer: Option<UserId>,
    pub stage: Stage,
    pub stock: StockState,
    pub payment: PaymentState,
    /// It is paid at the counter.
    pub cash: bool,
    /// While cancelling: this leg holds nothing any more.
    pub stock_answered: bool,
    pub money_answered: bool,
    pub total: Money,
    /// In minor units, as the two below.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// Requested and not given back yet.
    pub refunding: i64,
    pub next_action: Option<NextAction>,
    pub cancellation: Option<Cancelling>,
    /// When time itself moves the order, as long as its stage stays; see [`Order::timer`].
    pub deadline: Option<Timestamp>,
    pub settled_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// Where the order's stock stands, as far as inventory told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockState {
    Pending,
    Reserved,
    Refused,
    Expired,
    Sold,
    Released,
}

/// Why and how an order is being cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelling {
    pub reason: CancelReason,
    pub restock: bool,
    pub by_staff: bool,
    /// The capture failed, before it began or while it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub capture_failed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
}

/// What a fact did to an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// It changed, and this is to be told.
    Changed(Told),
    /// It is as it was.
    Unchanged,
    /// The call is refused.
    Forbidden,
}

/// The table says that this cannot happen: its cause must be found before the order goes on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} is impossible for order {order} in stage {}", stage.as_str())]
pub struct Impossible {
    pub order: OrderId,
    pub stage: Stage,
    pub input: Input,
}

/// A timer of an order: its kind and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTimer {
    pub kind: &'static str,
    pub due: Timestamp,
}

/// The kinds of timers, as they stand in the `timer` table.
pub const DEADLINE: &str = "deadline";
pub const PAY_BY: &str = "pay_by";
pub const CUT_OFF: &str = "cut_off";

impl Order {
    /// Lets the table decide about a fact and takes on what it decides. `pay_within` is how long a
    /// confirmed order may stay unpaid.
    pub fn apply(
        &mut self,
        fact: Fact,
        now: Timestamp,
        pay_within: Duration,
    ) -> Result<Effect, Impossible> {
        let input = fact.input();
        let effect = match decide(self.stage, input, self.facts_with(&fact)) {
            Decision::Ignore | Decision::Same => Effect::Unchanged,
            Decision::Forbid => Effect::Forbidden,
            Decision::Impossible => {
                return Err(Impossible {
                    order: self.id,
                    stage: self.stage,
                    input,
                });
            }
            Decision::Record => {
                let before = self.clone();
                self.record(&fact);
                // What is known already is no change: a repeated event is not told twice.
                if *self == before && fact.is_kept() {
                    Effect::Unchanged
                } else {
                    Effect::Changed(fact.recorded())
                }
            }
            Decision::Move(stage) => {
                self.record(&fact);
                self.move_to(stage, &fact, now, pay_within);
                Effect::Changed(Told::moved(stage, &fact))
            }
        };
        if matches!(effect, Effect::Changed(_)) {
            self.keyversion += 1;
            self.updated_at = now;
        }
        Ok(effect)
    }

    /// The timer that runs while the order is as it is.
    #[must_use]
    pub fn timer(&self) -> Option<OrderTimer> {
        let kind = match self.stage {
            Stage::Placed | Stage::StockHeld | Stage::MoneyHeld | Stage::Secured => DEADLINE,
            Stage::Confirmed => PAY_BY,
            Stage::Ready => CUT_OFF,
            _ => return None,
        };
        self.deadline.map(|due| OrderTimer { kind, due })
    }

    /// The money was captured, be it given back later.
    #[must_use]
    pub const fn is_paid(&self) -> bool {
        matches!(
            self.payment,
            PaymentState::Captured | PaymentState::PartiallyRefunded | PaymentState::Refunded
        )
    }

    /// What was captured and is neither given back nor requested to be.
    #[must_use]
    pub const fn refundable(&self) -> Money {
        Money::new(
            self.captured - self.refunded - self.refunding,
            self.currency(),
        )
    }

    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.total.currency
    }

    /// Whether the stage forbids giving money back.
    #[must_use]
    pub fn forbids_refunds(&self) -> bool {
        decide(self.stage, Input::Refund, self.facts()) == Decision::Forbid
    }

    /// The ids that every event of the order carries.
    #[must_use]
    pub const fn reference(&self) -> OrderRef {
        OrderRef {
            order_id: self.id,
            location_id: self.location,
            number: self.number,
            customer_id: self.customer,
        }
    }

    const fn facts(&self) -> Facts {
        Facts {
            paid: self.is_paid(),
            cash: self.cash,
            starts_unpaid: false,
            stock_answered: self.stock_answered,
            money_answered: self.money_answered,
        }
    }

    /// The facts, with what this one brings along.
    const fn facts_with(&self, fact: &Fact) -> Facts {
        let mut facts = self.facts();
        match fact {
            Fact::Due => facts.cash = true,
            Fact::Start { starts_unpaid } => facts.starts_unpaid = *starts_unpaid,
            _ => {}
        }
        facts
    }

    /// Takes over what the fact says about stock and money.
    fn record(&mut self, fact: &Fact) {
        match fact {
            Fact::StockReserved => self.stock = StockState::Reserved,
            Fact::StockRefused { .. } => self.stock = StockState::Refused,
            Fact::StockExpired => self.stock = StockState::Expired,
            Fact::StockReleased => self.stock = StockState::Released,
            Fact::StockSold => self.stock = StockState::Sold,
            Fact::ActionRequired { action, .. } => {
                self.payment = PaymentState::RequiresAction;
                self.next_action = Some(action.clone());
            }
            Fact::Authorized => self.payment = PaymentState::Authorized,
            Fact::Due => {
                self.payment = PaymentState::Due;
                self.cash = true;
            }
            Fact::Declined => self.payment = PaymentState::Declined,
            Fact::Captured { amount } => {
                self.payment = PaymentState::Captured;
                self.captured = amount.amount_minor;
                // The clock no longer waits for the money.
                if self.stage == Stage::Confirmed {
                    self.deadline = None;
                }
            }
            Fact::CaptureFailed => {
                if let Some(cancellation) = &mut self.cancellation {
                    cancellation.capture_failed = true;
                }
            }
            Fact::Voided { reason } => self.record_voided(*reason),
            Fact::Refunded {
                amount,
                in_full,
                was,
            } => self.record_refunded(amount.amount_minor, *in_full, *was),
            Fact::RefundFailed {
                amount,
                was: Some(RefundState::Requested),
            } => self.refunding -= amount.amount_minor,
            Fact::Refund { amount, .. } => self.refunding += amount.amount_minor,
            _ => {}
        }
        if self.payment != PaymentState::RequiresAction {
            self.next_action = None;
        }
        if self.stage == Stage::Cancelling {
            self.note_answer(fact.input());
        }
    }

    /// "There was nothing to void" says nothing new about money that was declined or given back.
    fn record_voided(&mut self, reason: VoidReason) {
        let ended = matches!(
            self.payment,
            PaymentState::Declined | PaymentState::PartiallyRefunded | PaymentState::Refunded
        );
        if reason != VoidReason::Nothing || !ended {
            self.payment = PaymentState::Voided;
        }
    }

    fn record_refunded(&mut self, amount: i64, in_full: bool, was: Option<RefundState>) {
        if was == Some(RefundState::Succeeded) {
            return;
        }
        if was == Some(RefundState::Requested) {
            self.refunding -= amount;
        }
        self.refunded += amount;
        self.payment = if in_full {
            PaymentState::Refunded
        } else {
            PaymentState::PartiallyRefunded
        };
    }

    const fn note_answer(&mut self, input: Input) {
        match input.answers() {
            Some(Leg::Stock) => self.stock_answered = true,
            Some(Leg::Money) => self.money_answered = true,
            None => {}
        }
    }

    fn move_to(&mut self, stage: Stage, fact: &Fact, now: Timestamp, pay_within: Duration) {
        if stage == Stage::Cancelling {
            self.cancellation = Some(Cancelling::of(self.stage, fact));
            self.note_answer(fact.input());
        }
        self.deadline = match (stage, fact) {
            (Stage::StockHeld | Stage::MoneyHeld | Stage::Secured, _) => self.deadline,
            (Stage::Confirmed, _) if !self.is_paid() => Some(now + pay_within),
            (Stage::Ready, Fact::MarkReady { cut_off }) => Some(*cut_off),
            _ => None,
        };
        self.settled_at = match (stage.is_settled(), self.settled_at) {
            (true, None) => Some(now),
            (true, settled_at) => settled_at,
            (false, _) => None,
        };
        self.stage = stage;
    }
}

impl Cancelling {
    fn of(stage: Stage, fact: &Fact) -> Self {
        let (by_staff, told_to_restock) = match fact {
            Fact::Cancel { by_staff, restock } => (*by_staff, *restock),
            _ => (false, false),
        };
        // Until the kitchen starts, the goods are untouched.
        let untouched = !matches!(stage, Stage::Preparing | Stage::Ready);
        Self {
            reason: fact.cancel_reason(),
            restock: untouched || told_to_restock,
            by_staff,
            capture_failed: matches!(fact, Fact::CaptureFailed),
            shortages: match fact {
                Fact::StockRefused { shortages } => shortages.clone(),
                _ => Vec::new(),
            },
        }
    }
}

impl StockState {
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Reserved,
        Self::Refused,
        Self::Expired,
        Self::Sold,
        Self::Released,
    ];

    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Reserved => "reserved",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Sold => "sold",
            Self::Released => "released",
        }
    }
}

#[cfg(test)]
mod tests;
