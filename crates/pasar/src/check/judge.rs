//! What must hold between the rows about one order once nothing about it is in flight. Pure.

use std::time::Duration;

use pasar_payments::effects::worker::EXPIRED;
use pasar_types::{id::OrderId, time::Timestamp};

use super::{
    case::{Case, payment_of, timer_of},
    report::{Finding, Rule},
    tables::{orders::Order, payments::Payment},
};

/// The fulfilment as far as the rules tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Placing,
    Confirmed,
    Abandoned,
    Cancelling,
    Cancelled,
}

/// What the clock moves may be this late: timers wait for the feeds after a start.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// The method of the provider that keeps the books.
const SANDBOX: &str = "sandbox";

impl Case {
    /// What is wrong with these rows if nothing is under way. `running` says whether a process is
    /// there that could have done what is overdue.
    pub(super) fn judge(&self, running: bool, now: Timestamp) -> Vec<Finding> {
        let mut wrong = Wrong {
            id: self.id,
            findings: Vec::new(),
        };
        self.judge_charge(&mut wrong);
        match &self.order {
            Some(order) => match phase(&order.stage) {
                Some(phase) => {
                    self.judge_settling(order, phase, running, now, &mut wrong);
                    self.judge_stock(order, phase, &mut wrong);
                    self.judge_money(order, phase, &mut wrong);
                }
                None => wrong.order(Rule::Settled, format!("its stage is {:?}", order.stage)),
            },
            None => self.judge_orphans(&mut wrong),
        }
        wrong.findings
    }

    fn judge_orphans(&self, wrong: &mut Wrong) {
        if let Some(reservation) = &self.reservation {
            let what = format!("it is {}, and there is no such order", reservation.state);
            wrong.reservation(what);
        }
        if let Some(payment) = &self.payment {
            let what = format!("it is {}, and there is no such order", payment.state);
            wrong.payment(Rule::Payments, what);
        }
    }

    fn judge_settling(
        &self,
        order: &Order,
        phase: Phase,
        running: bool,
        now: Timestamp,
        wrong: &mut Wrong,
    ) {
        let is_settled = !matches!(phase, Phase::Placing | Phase::Cancelling);
        if order.settled != is_settled {
            let what = if order.settled {
                "settled, yet"
            } else {
                "not settled, yet"
            };
            wrong.order(Rule::Settled, format!("it is {what} {}", order.stage));
        }
        match (phase, order.deadline) {
            (Phase::Placing, None) => {
                wrong.order(
                    Rule::Settled,
                    format!("it is {} without a deadline", order.stage),
                );
            }
            (_, Some(deadline)) if timer_of(self.id, order).is_some() && !self.timer => {
                wrong.order(
                    Rule::Settled,
                    format!("no timer stands for its deadline {deadline}"),
                );
            }
            (_, Some(deadline)) if running && now.since(deadline) > GRACE => {
                wrong.order(
                    Rule::Settled,
                    format!("it is {} since {deadline}", order.stage),
                );
            }
            _ => {}
        }
        if phase == Phase::Cancelling && !self.awaits_hand_back() {
            wrong.order(
                Rule::Settled,
                "it is cancelling, and nothing is under way to end it",
            );
        }
    }

    /// A cancelled order's cash is in the drawer until a person says that it was handed back.
    fn awaits_hand_back(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.cash)
            && self
                .payment
                .as_ref()
                .is_some_and(|payment| payment.captured > payment.refunded)
    }

    fn judge_stock(&self, order: &Order, phase: Phase, wrong: &mut Wrong) {
        let stage = &order.stage;
        let Some(reservation) = &self.reservation else {
            wrong.order(
                Rule::Reservations,
                format!("it is {stage}, and inventory never decided"),
            );
            return;
        };
        let state = reservation.state.as_str();
        let fits = match phase {
            Phase::Placing => matches!(stage.as_str(), "stock_held" | "secured") && state == "held",
            Phase::Confirmed | Phase::Abandoned => state == "sold",
            Phase::Cancelling | Phase::Cancelled => !matches!(state, "held" | "sold"),
        };
        if !fits {
            wrong.reservation(format!("it is {state}, its order is {stage}"));
        }
    }

    fn judge_money(&self, order: &Order, phase: Phase, wrong: &mut Wrong) {
        let stage = &order.stage;
        let Some(payment) = &self.payment else {
            wrong.order(
                Rule::Payments,
                format!("it is {stage}, and there is no payment"),
            );
            return;
        };
        let state = payment.state.as_str();
        let kept = matches!(state, "captured" | "partially_refunded" | "refunded");
        let fits = match phase {
            Phase::Placing => match stage.as_str() {
                "money_held" => matches!(state, "authorized" | "due" | "captured"),
                "secured" => false,
                _ => state == "requires_action",
            },
            Phase::Confirmed => kept || (order.cash && state == "due"),
            Phase::Abandoned => kept || (order.cash && state == "voided"),
            Phase::Cancelling => true,
            Phase::Cancelled => {
                matches!(state, "declined" | "voided" | "refunded")
                    && payment.captured == payment.refunded
            }
        };
        if !fits {
            let what = format!(
                "it is {state} with {} captured and {} refunded, its order is {stage}",
                payment.captured, payment.refunded
            );
            wrong.payment(Rule::Payments, what);
        }
        if let Some(operation) = &payment.in_flight {
            wrong.payment(
                Rule::Payments,
                format!("it awaits {operation}, which nobody does"),
            );
        }
        self.judge_amounts(order, payment, phase, wrong);
    }

    fn judge_amounts(&self, order: &Order, payment: &Payment, phase: Phase, wrong: &mut Wrong) {
        let cancelled = matches!(phase, Phase::Cancelling | Phase::Cancelled);
        // The tombstone of an order that was cancelled before payments heard of it.
        if payment.method.is_empty() && cancelled {
            return;
        }
        if (&payment.method, payment.amount, &payment.currency)
            != (&order.method, order.total, &order.currency)
        {
            let what = format!(
                "{} {} by {}, its order says {} {} by {}",
                payment.amount,
                payment.currency,
                payment.method,
                order.total,
                order.currency,
                order.method
            );
            wrong.payment(Rule::Payments, what);
        }
        let counted = (payment.captured, payment.refunded, payment.refunding);
        if !cancelled && counted != (order.captured, order.refunded, order.refunding) {
            let what = format!(
                "captured {}, refunded {}, refunding {}; its order says {}, {}, {}",
                payment.captured,
                payment.refunded,
                payment.refunding,
                order.captured,
                order.refunded,
                order.refunding
            );
            wrong.payment(Rule::Payments, what);
        }
    }

    fn judge_charge(&self, wrong: &mut Wrong) {
        let (charge, payment) = match (&self.charge, &self.payment) {
            (Some(charge), Some(payment)) => (charge, payment),
            (Some(charge), None) => {
                let what = format!("it is {}, and there is no such payment", charge.state);
                wrong.charge(Rule::Provider, what);
                return;
            }
            (None, payment) => {
                if let Some(payment) = payment
                    && self.with_books
                    && payment.method == SANDBOX
                    && !is_unknown_to_provider(payment)
                {
                    let what = format!("it is {}, and the provider knows nothing", payment.state);
                    wrong.payment(Rule::Provider, what);
                }
                return;
            }
        };
        if charge.captures > 1 || charge.authorizations > 1 {
            let what = format!(
                "authorised {}, captured {} times",
                charge.authorizations, charge.captures
            );
            wrong.charge(Rule::CapturedOnce, what);
        }
        let books = (charge.captured, charge.refunded);
        if books != (payment.captured, payment.refunded) {
            let what = format!(
                "captured {} and refunded {}, payments says {} and {}",
                charge.captured, charge.refunded, payment.captured, payment.refunded
            );
            wrong.charge(Rule::Provider, what);
        }
        if (charge.state == "authorized") != (payment.state == "authorized") {
            let what = format!("it is {}, payments says {}", charge.state, payment.state);
            wrong.charge(Rule::Provider, what);
        }
        let tombstone = charge.authorizations == 0;
        if !tombstone && (charge.amount, &charge.currency) != (payment.amount, &payment.currency) {
            let what = format!(
                "{} {}, payments says {} {}",
                charge.amount, charge.currency, payment.amount, payment.currency
            );
            wrong.charge(Rule::Provider, what);
        }
    }
}

/// The provider was never asked, or was not asked again as it may have forgotten that it was.
fn is_unknown_to_provider(payment: &Payment) -> bool {
    match payment.state.as_str() {
        "pending" | "voided" => true,
        "declined" => payment.reason.as_deref() == Some(EXPIRED),
        _ => false,
    }
}

fn phase(stage: &str) -> Option<Phase> {
    Some(match stage {
        "placed" | "stock_held" | "money_held" | "secured" => Phase::Placing,
        "confirmed" | "preparing" | "ready" | "collected" => Phase::Confirmed,
        "abandoned" => Phase::Abandoned,
        "cancelling" => Phase::Cancelling,
        "cancelled" => Phase::Cancelled,
        _ => return None,
    })
}

/// Findings about one order.
struct Wrong {
    id: OrderId,
    findings: Vec<Finding>,
}

impl Wrong {
    fn order(&mut self, rule: Rule, what: impl Into<String>) {
        self.push(rule, format!("orders orders {}", self.id), what.into());
    }

    fn reservation(&mut self, what: String) {
        self.push(
            Rule::Reservations,
            format!("inventory reservation {}", self.id),
            what,
        );
    }

    fn payment(&mut self, rule: Rule, what: String) {
        self.push(
            rule,
            format!("payments payment {}", payment_of(self.id)),
            what,
        );
    }

    fn charge(&mut self, rule: Rule, what: String) {
        self.push(
            rule,
            format!("sandbox charge {}", payment_of(self.id)),
            what,
        );
    }

    fn push(&mut self, rule: Rule, row: String, what: String) {
        self.findings.push(Finding { rule, row, what });
    }
}
