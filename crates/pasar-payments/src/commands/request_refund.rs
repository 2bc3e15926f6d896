//! Money is to go back, whole or part: never more than was captured, counting what is on its way.

use pasar_contracts::{api::payments::RefundState, events::payments::PaymentRefundFailed};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{OrderId, RefundId},
    money::Money,
};

use super::change;
use crate::{
    payment::{Payment, payment_of},
    tables::{self, refund::Refund},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRefund {
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub amount: Money,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider is asked.
    Requested,
    /// Cash: staff who asked for it states that it was handed back.
    HandedBack,
    Refused(Refusal),
    /// The same refund was asked for before.
    AlreadyKnown,
}

/// Why a refund is refused without asking the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    ExceedsCaptured,
    CurrencyMismatch,
    InvalidAmount,
}

impl Refusal {
    /// The reason that the event carries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExceedsCaptured => "exceeds_captured",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::InvalidAmount => "invalid_amount",
        }
    }
}

pub fn request_refund(ctx: &mut Context<'_>, command: RequestRefund) -> Result<Outcome, Fault> {
    let mut payment = change::load_known(ctx, payment_of(command.order_id))?;
    let now = ctx.now();
    let amount_minor = command.amount.amount_minor;
    let refusal = refusal(&payment, command.amount);
    let at_once = refusal.is_some() || payment.is_cash();
    let refund = Refund {
        id: command.refund_id,
        amount_minor,
        state: match refusal {
            Some(_) => RefundState::Failed,
            None if payment.is_cash() => RefundState::Succeeded,
            None => RefundState::Requested,
        },
        reason: refusal.map(|refusal| refusal.as_str().to_owned()),
        requested_at: now,
        ended_at: at_once.then_some(now),
    };
    if !tables::refund::insert(ctx, payment.id, &refund)? {
        return Ok(Outcome::AlreadyKnown);
    }
    let outcome = match refusal {
        Some(refusal) => {
            let event = PaymentRefundFailed {
                payment: payment.reference(),
                refund_id: command.refund_id,
                amount: command.amount,
                reason: refusal.as_str().to_owned(),
            };
            change::tell(ctx, &mut payment, &event)?;
            Outcome::Refused(refusal)
        }
        None if payment.is_cash() => {
            payment.refunding_minor += amount_minor;
            change::book_refund(ctx, &mut payment, command.refund_id, amount_minor)?;
            Outcome::HandedBack
        }
        None => {
            payment.refunding_minor += amount_minor;
            Outcome::Requested
        }
    };
    change::store(ctx, payment)?;
    Ok(outcome)
}

fn refusal(payment: &Payment, amount: Money) -> Option<Refusal> {
    if amount.amount_minor <= 0 {
        Some(Refusal::InvalidAmount)
    } else if amount.currency != payment.amount.currency {
        Some(Refusal::CurrencyMismatch)
    } else if amount.amount_minor > payment.refundable_minor() {
        Some(Refusal::ExceedsCaptured)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, ORDER, OTHER_REFUND, REFUND, idr};

    const fn refund(refund_id: RefundId, amount: Money) -> RequestRefund {
        RequestRefund {
            order_id: ORDER,
            refund_id,
            amount,
        }
    }

    fn ask(bench: &Bench, command: RequestRefund) -> Outcome {
        bench.run(move |ctx| request_refund(ctx, command)).unwrap()
    }

    #[test]
    fn a_part_is_asked_of_the_provider() {
        let report = Bench::new()
            .captured()
            .report(|ctx| request_refund(ctx, refund(REFUND, idr(1_000_000))));
        assert_snapshot!(report, @r#"
        Requested
        payment captured, goal capture, captured 2500000, refunding 1000000
        effect refund 1000000
        "#);
    }

    #[test]
    fn cash_is_handed_back_by_whom_asked() {
        let report = Bench::new()
            .paid_in_cash()
            .report(|ctx| request_refund(ctx, refund(REFUND, idr(1_000_000))));
        assert_snapshot!(report, @r#"
        HandedBack
        event 3 payment.refunded.v1 {"amount":{"amount_minor":1000000,"currency":"IDR"},"in_full":false,"refund_id":"rfd#1","refunded_total":{"amount_minor":1000000,"currency":"IDR"}}
        ledger refunds 1000000
        ledger cash_drawer -1000000
        payment partially_refunded, goal hold, captured 2500000, refunded 1000000
        "#);
    }

    #[test]
    fn more_than_was_captured_is_refused_counting_what_is_on_its_way() {
        let bench = Bench::new()
            .captured()
            .then(|ctx| request_refund(ctx, refund(REFUND, idr(1_500_000))));
        let report = bench.report(|ctx| request_refund(ctx, refund(OTHER_REFUND, idr(1_000_001))));
        assert_snapshot!(report, @r#"
        Refused(ExceedsCaptured)
        event 4 payment.refund_failed.v1 {"amount":{"amount_minor":1000001,"currency":"IDR"},"reason":"exceeds_captured","refund_id":"rfd#1"}
        payment captured, goal capture, captured 2500000, refunding 1500000
        effect refund 1500000
        "#);
        let last = RefundId::from_bytes([6; 16]);
        assert_eq!(
            ask(&bench, refund(last, idr(1_000_000))),
            Outcome::Requested
        );
    }

    #[test]
    fn nothing_captured_is_nothing_to_refund() {
        for bench in [
            Bench::new().authorized(),
            Bench::new().due(),
            Bench::new().declined(),
        ] {
            let outcome = ask(&bench, refund(REFUND, idr(1)));
            assert_eq!(outcome, Outcome::Refused(Refusal::ExceedsCaptured));
        }
    }

    #[test]
    fn another_currency_and_amounts_below_one_are_refused() {
        let bench = Bench::new().captured();
        let eur = Money::new(1, "EUR".parse().unwrap());
        let cases = [
            (eur, Refusal::CurrencyMismatch),
            (idr(0), Refusal::InvalidAmount),
            (idr(-1), Refusal::InvalidAmount),
        ];
        for (index, (amount, refusal)) in (10..).zip(cases) {
            let id = RefundId::from_bytes([index; 16]);
            assert_eq!(ask(&bench, refund(id, amount)), Outcome::Refused(refusal));
        }
    }

    #[test]
    fn the_same_refund_again_changes_nothing() {
        let bench = Bench::new().captured();
        assert_eq!(ask(&bench, refund(REFUND, idr(1))), Outcome::Requested);
        assert_eq!(ask(&bench, refund(REFUND, idr(1))), Outcome::AlreadyKnown);
        assert_eq!(bench.effects().len(), 1);
    }
}
