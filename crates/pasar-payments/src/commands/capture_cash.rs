//! Staff took cash at the counter.

use pasar_contracts::{api::payments::PaymentState, events::payments::PaymentCaptured};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;
use serde::{Deserialize, Serialize};

use super::change;
use crate::{ledger::Posting, tables};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureCash {
    pub payment_id: PaymentId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Captured,
    /// It is not due: paid, cancelled, or not cash at all.
    StateForbids(PaymentState),
    NotFound,
}

pub fn capture_cash(ctx: &mut Context<'_>, command: CaptureCash) -> Result<Outcome, Fault> {
    let Some(mut payment) = change::load(ctx, command.payment_id)? else {
        return Ok(Outcome::NotFound);
    };
    if payment.state != PaymentState::Due {
        return Ok(Outcome::StateForbids(payment.state));
    }
    let now = ctx.now();
    payment.capture(now);
    tables::ledger::post(ctx, &Posting::capture(&payment))?;
    let event = PaymentCaptured {
        payment: payment.reference(),
        amount: payment.amount,
    };
    change::tell(ctx, &mut payment, &event)?;
    change::store(ctx, payment)?;
    Ok(Outcome::Captured)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, PAYMENT};

    const CAPTURE: CaptureCash = CaptureCash {
        payment_id: PAYMENT,
    };

    #[test]
    fn due_cash_is_captured_into_the_drawer() {
        let report = Bench::new().due().report(|ctx| capture_cash(ctx, CAPTURE));
        assert_snapshot!(report, @r#"
        Captured
        event 2 payment.captured.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        ledger cash_drawer 2500000
        ledger sales -2500000
        payment captured, goal hold, captured 2500000
        "#);
    }

    #[test]
    fn what_is_not_due_is_not_captured_by_hand() {
        for bench in [
            Bench::new().paid_in_cash(),
            Bench::new().authorized(),
            Bench::new().declined(),
        ] {
            let outcome = bench.run(|ctx| capture_cash(ctx, CAPTURE)).unwrap();
            assert!(matches!(outcome, Outcome::StateForbids(_)), "{outcome:?}");
        }
        let outcome = Bench::new().run(|ctx| capture_cash(ctx, CAPTURE)).unwrap();
        assert_eq!(outcome, Outcome::NotFound);
    }
}
