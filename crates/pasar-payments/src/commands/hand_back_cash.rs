//! Staff states that a cancelled order's cash was handed back, which its cancellation waited for.

use pasar_contracts::api::payments::PaymentState;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;
use serde::{Deserialize, Serialize};

use super::change;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandBackCash {
    pub payment_id: PaymentId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    HandedBack,
    /// Nothing waits to be handed back.
    StateForbids(PaymentState),
    NotFound,
}

pub fn hand_back_cash(ctx: &mut Context<'_>, command: HandBackCash) -> Result<Outcome, Fault> {
    let Some(mut payment) = change::load(ctx, command.payment_id)? else {
        return Ok(Outcome::NotFound);
    };
    if !payment.awaits_hand_back() {
        return Ok(Outcome::StateForbids(payment.state));
    }
    change::hand_back(ctx, &mut payment)?;
    change::store(ctx, payment)?;
    Ok(Outcome::HandedBack)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::{
        commands::cancel_payment::{CancelPayment, cancel_payment},
        testing::{Bench, LOCATION, ORDER, PAYMENT},
    };

    const HAND_BACK: HandBackCash = HandBackCash {
        payment_id: PAYMENT,
    };
    const CANCEL: CancelPayment = CancelPayment {
        order_id: ORDER,
        location_id: LOCATION,
        by_staff: false,
    };

    #[test]
    fn handing_back_answers_the_cancellation_that_waited() {
        let report = Bench::new()
            .paid_in_cash()
            .then(|ctx| cancel_payment(ctx, CANCEL))
            .report(|ctx| hand_back_cash(ctx, HAND_BACK));
        assert_snapshot!(report, @r#"
        HandedBack
        event 3 payment.refunded.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"in_full":true,"refund_id":"rfd#1","refunded_total":{"amount_minor":2500000,"currency":"IDR"}}
        ledger refunds 2500000
        ledger cash_drawer -2500000
        payment refunded, goal undo, captured 2500000, refunded 2500000
        "#);
    }

    #[test]
    fn what_nobody_cancelled_is_not_handed_back() {
        for bench in [
            Bench::new().paid_in_cash(),
            Bench::new().due(),
            Bench::new().captured(),
        ] {
            let outcome = bench.run(|ctx| hand_back_cash(ctx, HAND_BACK)).unwrap();
            assert!(matches!(outcome, Outcome::StateForbids(_)), "{outcome:?}");
        }
    }
}
