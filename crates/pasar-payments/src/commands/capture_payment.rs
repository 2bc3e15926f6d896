//! Stock and money are both held: take the money. Cash has nothing to take yet.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use super::change;
use crate::{
    desk::Desk,
    payment::{Goal, payment_of},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturePayment {
    pub order_id: OrderId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider is asked, or took it before.
    Capturing,
    /// Cash is captured by staff.
    NothingToCapture,
    /// It was asked for before, or the order was cancelled.
    AlreadyDecided,
}

pub fn capture_payment(ctx: &mut Context<'_>, command: CapturePayment) -> Result<Outcome, Fault> {
    capture_at(ctx, &mut Desk::default(), command)
}

pub(crate) fn capture_at(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    command: CapturePayment,
) -> Result<Outcome, Fault> {
    let id = payment_of(command.order_id);
    let mut payment = change::load_from(ctx, desk, id)?.ok_or_else(|| change::not_known(id))?;
    if payment.is_cash() {
        return Ok(Outcome::NothingToCapture);
    }
    if payment.goal != Goal::Hold {
        return Ok(Outcome::AlreadyDecided);
    }
    payment.goal = Goal::Capture;
    change::store(ctx, payment)?;
    Ok(Outcome::Capturing)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, ORDER};

    const CAPTURE: CapturePayment = CapturePayment { order_id: ORDER };

    #[test]
    fn a_secured_order_is_captured_at_its_provider() {
        let report = Bench::new()
            .authorized()
            .report(|ctx| capture_payment(ctx, CAPTURE));
        assert_snapshot!(report, @r#"
        Capturing
        payment authorized, goal capture
        effect capture 2500000
        "#);
    }

    #[test]
    fn cash_has_nothing_to_capture_yet() {
        let report = Bench::new()
            .due()
            .report(|ctx| capture_payment(ctx, CAPTURE));
        assert_snapshot!(report, @r#"
        NothingToCapture
        payment due, goal hold
        "#);
    }

    #[test]
    fn asked_twice_it_is_captured_once() {
        let report = Bench::new()
            .capturing()
            .report(|ctx| capture_payment(ctx, CAPTURE));
        assert_snapshot!(report, @r#"
        AlreadyDecided
        payment authorized, goal capture
        effect capture 2500000
        "#);
    }

    #[test]
    fn a_payment_that_is_not_known_is_a_fault() {
        let report = Bench::new().report(|ctx| capture_payment(ctx, CAPTURE));
        assert_snapshot!(report, @r#"
        fault: stored data cannot be read: pay#1 is not known here
        "#);
    }
}
