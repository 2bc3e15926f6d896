//! The provider paid a refund out, or refuses to.

use pasar_contracts::{api::payments::RefundState, events::payments::PaymentRefundFailed};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{PaymentId, RefundId};

use super::{change, give_back_again};
use crate::{
    payment::{News, Payment},
    tables::{self, refund::Refund},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRefund {
    pub payment_id: PaymentId,
    pub refund_id: RefundId,
    /// The effect that it ends; absent when the provider told without being asked.
    pub effect: Option<i64>,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Refunded,
    Failed { reason: String },
}

pub fn record_refund(ctx: &mut Context<'_>, command: RecordRefund) -> Result<News, Fault> {
    let mut payment = change::load_known(ctx, command.payment_id)?;
    change::end_effect(ctx, &mut payment, command.effect)?;
    let refund = tables::refund::find(ctx, payment.id, command.refund_id)?.ok_or_else(|| {
        Fault::Corrupt(format!(
            "{} of {} is not known here",
            command.refund_id, payment.id
        ))
    })?;
    let news = match command.answer {
        Answer::Refunded => paid_out(ctx, &mut payment, &refund)?,
        Answer::Failed { reason } => refused(ctx, &mut payment, &refund, &reason)?,
    };
    change::store(ctx, payment)?;
    Ok(news)
}

fn paid_out(ctx: &mut Context<'_>, payment: &mut Payment, refund: &Refund) -> Result<News, Fault> {
    match refund.state {
        RefundState::Succeeded => return Ok(News::Old),
        RefundState::Requested => {}
        // Given up too early: the money is gone all the same, so it is booked while it fits.
        RefundState::Failed if refund.amount_minor <= payment.refundable_minor() => {
            payment.refunding_minor += refund.amount_minor;
        }
        RefundState::Failed => {
            tracing::error!(payment = %payment.id, refund = %refund.id, flow = %payment.flow,
                "the provider paid out a refund that had failed, and another took its place");
            return Ok(News::Late);
        }
    }
    tables::refund::end(ctx, payment.id, refund.id, RefundState::Succeeded, None)?;
    change::book_refund(ctx, payment, refund.id, refund.amount_minor)?;
    Ok(News::Changed)
}

fn refused(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    refund: &Refund,
    reason: &str,
) -> Result<News, Fault> {
    if refund.state != RefundState::Requested {
        return Ok(News::Old);
    }
    metrics::counter!("pasar_payments_refunds_failed_total").increment(1);
    tracing::error!(payment = %payment.id, refund = %refund.id, flow = %payment.flow, reason,
        "a refund was refused");
    tables::refund::end(
        ctx,
        payment.id,
        refund.id,
        RefundState::Failed,
        Some(reason),
    )?;
    if let Some(again) = payment.fail_refund(refund.amount_minor, ctx.now()) {
        ctx.set_timer(give_back_again::TIMER, &payment.id.to_string(), again)?;
    }
    let event = PaymentRefundFailed {
        payment: payment.reference(),
        refund_id: refund.id,
        amount: payment.money(refund.amount_minor),
        reason: reason.to_owned(),
    };
    change::tell(ctx, payment, &event)?;
    Ok(News::Changed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;
    use pasar_contracts::api::payments::ProviderAnswer;

    use super::*;
    use crate::{
        commands::{
            cancel_payment::{CancelPayment, cancel_payment},
            give_back_again::{GiveBackAgain, give_back_again},
            request_refund::{RequestRefund, request_refund},
        },
        testing::{Bench, LOCATION, ORDER, OTHER_REFUND, PAYMENT, REFUND, idr},
    };

    fn requested(refund_id: RefundId, amount_minor: i64) -> Bench {
        let command = RequestRefund {
            order_id: ORDER,
            refund_id,
            amount: idr(amount_minor),
        };
        Bench::new()
            .captured()
            .then(move |ctx| request_refund(ctx, command))
    }

    fn ended(bench: &Bench, answer: Answer) -> RecordRefund {
        RecordRefund {
            payment_id: PAYMENT,
            refund_id: REFUND,
            effect: bench.effects().pop().map(|effect| effect.id),
            answer,
        }
    }

    fn report(bench: &Bench, command: RecordRefund) -> String {
        bench.report(move |ctx| record_refund(ctx, command.clone()))
    }

    fn refused() -> Answer {
        Answer::Failed {
            reason: "account_closed".to_owned(),
        }
    }

    #[test]
    fn a_refund_is_booked_once() {
        let bench = requested(REFUND, 1_000_000);
        let command = ended(&bench, Answer::Refunded);
        assert_snapshot!(report(&bench, command.clone()), @r#"
        Changed
        event 4 payment.refunded.v1 {"amount":{"amount_minor":1000000,"currency":"IDR"},"in_full":false,"refund_id":"rfd#1","refunded_total":{"amount_minor":1000000,"currency":"IDR"}}
        ledger refunds 1000000
        ledger provider:sandbox -1000000
        payment partially_refunded, goal capture, captured 2500000, refunded 1000000
        "#);
        assert_snapshot!(report(&bench, command), @r#"
        Old
        payment partially_refunded, goal capture, captured 2500000, refunded 1000000
        "#);
    }

    #[test]
    fn the_whole_sum_is_refunded_in_full() {
        let bench = requested(REFUND, 2_500_000);
        let command = ended(&bench, Answer::Refunded);
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 4 payment.refunded.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"in_full":true,"refund_id":"rfd#1","refunded_total":{"amount_minor":2500000,"currency":"IDR"}}
        ledger refunds 2500000
        ledger provider:sandbox -2500000
        payment refunded, goal capture, captured 2500000, refunded 2500000
        "#);
    }

    #[test]
    fn a_refused_refund_can_be_asked_for_anew() {
        let bench = requested(REFUND, 2_500_000);
        let command = ended(&bench, refused());
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 4 payment.refund_failed.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"reason":"account_closed","refund_id":"rfd#1"}
        payment captured, goal capture, captured 2500000
        "#);
        let anew = RequestRefund {
            order_id: ORDER,
            refund_id: OTHER_REFUND,
            amount: idr(2_500_000),
        };
        assert_snapshot!(bench.report(move |ctx| request_refund(ctx, anew)), @r#"
        Requested
        payment captured, goal capture, captured 2500000, refunding 2500000
        effect refund 2500000
        "#);
    }

    #[test]
    fn a_refund_that_was_given_up_too_early_is_booked_all_the_same() {
        let bench = requested(REFUND, 1_000_000);
        let command = ended(&bench, refused());
        report(&bench, command);
        let command = ended(&bench, Answer::Refunded);
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 5 payment.refunded.v1 {"amount":{"amount_minor":1000000,"currency":"IDR"},"in_full":false,"refund_id":"rfd#1","refunded_total":{"amount_minor":1000000,"currency":"IDR"}}
        ledger refunds 1000000
        ledger provider:sandbox -1000000
        payment partially_refunded, goal capture, captured 2500000, refunded 1000000
        "#);
    }

    #[test]
    fn a_cancelled_orders_refund_rests_after_a_refusal_and_is_asked_for_again() {
        const CANCEL: CancelPayment = CancelPayment {
            order_id: ORDER,
            location_id: LOCATION,
            by_staff: false,
        };
        const AGAIN: GiveBackAgain = GiveBackAgain {
            payment_id: PAYMENT,
        };
        let reason = "try_later".to_owned();
        let bench = Bench::new()
            .captured()
            .then(|ctx| cancel_payment(ctx, CANCEL))
            .answered(ProviderAnswer::Declined { reason });
        assert_snapshot!(bench.report(|ctx| give_back_again(ctx, AGAIN)), @r#"
        ()
        payment captured, goal undo, captured 2500000
        timer give_back_again in 60 s
        "#);
        let bench = bench.later(Duration::from_secs(60));
        assert_snapshot!(bench.report(|ctx| give_back_again(ctx, AGAIN)), @r#"
        ()
        payment captured, goal undo, captured 2500000, refunding 2500000
        effect refund 2500000
        timer give_back_again in 0 s
        "#);
    }
}
