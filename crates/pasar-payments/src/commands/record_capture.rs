//! The provider took the money, or refuses to for good.

use pasar_contracts::events::payments::{PaymentCaptureFailed, PaymentCaptured};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use super::change;
use crate::{
    ledger::Posting,
    payment::{News, Payment},
    tables,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordCapture {
    pub payment_id: PaymentId,
    /// The effect that it ends; absent when the provider told without being asked.
    pub effect: Option<i64>,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The whole amount.
    Captured,
    Failed {
        reason: String,
    },
}

pub fn record_capture(ctx: &mut Context<'_>, command: RecordCapture) -> Result<News, Fault> {
    let mut payment = change::load_known(ctx, command.payment_id)?;
    change::end_effect(ctx, &mut payment, command.effect)?;
    let news = match command.answer {
        Answer::Captured => captured(ctx, &mut payment)?,
        Answer::Failed { reason } => failed(ctx, &mut payment, reason)?,
    };
    change::store(ctx, payment)?;
    Ok(news)
}

fn captured(ctx: &mut Context<'_>, payment: &mut Payment) -> Result<News, Fault> {
    let news = payment.capture(ctx.now());
    if news == News::Old {
        return Ok(news);
    }
    tables::ledger::post(ctx, &Posting::capture(payment))?;
    if news == News::Changed {
        let event = PaymentCaptured {
            payment: payment.reference(),
            amount: payment.amount,
        };
        change::tell(ctx, payment, &event)?;
    } else {
        // Its order is over and must not hear of a capture; it hears of the refund.
        tracing::error!(payment = %payment.id, flow = %payment.flow,
            "money was taken after its payment was closed; it is given back");
    }
    Ok(news)
}

fn failed(ctx: &mut Context<'_>, payment: &mut Payment, reason: String) -> Result<News, Fault> {
    let news = payment.fail_capture(reason.clone());
    if news == News::Changed {
        let event = PaymentCaptureFailed {
            payment: payment.reference(),
            reason,
        };
        change::tell(ctx, payment, &event)?;
    }
    Ok(news)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, PAYMENT};

    fn told(answer: Answer) -> RecordCapture {
        RecordCapture {
            payment_id: PAYMENT,
            effect: None,
            answer,
        }
    }

    fn ended(bench: &Bench, answer: Answer) -> RecordCapture {
        RecordCapture {
            effect: bench.effects().pop().map(|effect| effect.id),
            ..told(answer)
        }
    }

    fn report(bench: &Bench, command: RecordCapture) -> String {
        bench.report(move |ctx| record_capture(ctx, command.clone()))
    }

    #[test]
    fn a_capture_is_booked_once() {
        let bench = Bench::new().capturing();
        let command = ended(&bench, Answer::Captured);
        assert_snapshot!(report(&bench, command.clone()), @r#"
        Changed
        event 3 payment.captured.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        ledger provider:sandbox 2500000
        ledger sales -2500000
        payment captured, goal capture, captured 2500000
        "#);
        assert_snapshot!(report(&bench, command), @r#"
        Old
        payment captured, goal capture, captured 2500000
        "#);
    }

    #[test]
    fn a_capture_without_an_authorisation_counts_as_both() {
        let bench = Bench::new().initiated();
        let command = ended(&bench, Answer::Captured);
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 2 payment.captured.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        ledger provider:sandbox 2500000
        ledger sales -2500000
        payment captured, goal hold, captured 2500000
        "#);
    }

    #[test]
    fn a_capture_that_fails_keeps_the_authorisation_and_is_not_tried_again() {
        let bench = Bench::new().capturing();
        let reason = "expired_card".to_owned();
        let command = ended(&bench, Answer::Failed { reason });
        assert_snapshot!(report(&bench, command.clone()), @r#"
        Changed
        event 3 payment.capture_failed.v1 {"reason":"expired_card"}
        payment authorized, goal hold
        "#);
        assert_snapshot!(report(&bench, command), @r#"
        Old
        payment authorized, goal hold
        "#);
    }

    #[test]
    fn money_that_comes_after_the_end_is_booked_and_given_back() {
        let bench = Bench::new().declined();
        assert_snapshot!(report(&bench, told(Answer::Captured)), @r#"
        Late
        ledger provider:sandbox 2500000
        ledger sales -2500000
        payment declined, goal undo, captured 2500000, refunding 2500000
        effect refund 2500000
        "#);
    }
}
