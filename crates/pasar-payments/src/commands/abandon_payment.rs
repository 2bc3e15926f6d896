//! Nobody came for the order: what is due will not be paid. What was paid stays.

use pasar_contracts::{api::payments::PaymentState, events::payments::VoidReason};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use super::change;
use crate::payment::{Goal, payment_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbandonPayment {
    pub order_id: OrderId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Voided,
    /// It was not due.
    Nothing,
}

pub fn abandon_payment(ctx: &mut Context<'_>, command: AbandonPayment) -> Result<Outcome, Fault> {
    let mut payment = change::load_known(ctx, payment_of(command.order_id))?;
    if payment.state != PaymentState::Due {
        return Ok(Outcome::Nothing);
    }
    payment.goal = Goal::Undo;
    payment.void();
    change::tell_voided(ctx, &mut payment, VoidReason::Requested)?;
    change::store(ctx, payment)?;
    Ok(Outcome::Voided)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, ORDER};

    const ABANDON: AbandonPayment = AbandonPayment { order_id: ORDER };

    #[test]
    fn what_is_due_is_voided() {
        let report = Bench::new()
            .due()
            .report(|ctx| abandon_payment(ctx, ABANDON));
        assert_snapshot!(report, @r#"
        Voided
        event 2 payment.voided.v1 {"reason":"requested"}
        payment voided, goal undo
        "#);
    }

    #[test]
    fn what_was_paid_stays() {
        for bench in [Bench::new().paid_in_cash(), Bench::new().captured()] {
            let head = bench.store.head();
            let outcome = bench.run(|ctx| abandon_payment(ctx, ABANDON)).unwrap();
            assert_eq!((outcome, bench.store.head()), (Outcome::Nothing, head));
        }
    }
}
