//! An order is being cancelled: let go of what is held, give back what was taken. Always answered, at
//! once when there is nothing to undo, else when the provider's answers are in.

use pasar_contracts::{api::payments::PaymentState, events::payments::VoidReason};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{LocationId, OrderId};

use super::change;
use crate::{
    payment::{Goal, Payment, payment_of},
    tables,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelPayment {
    pub order_id: OrderId,
    pub location_id: LocationId,
    /// Staff asked, and thereby states that cash was handed back.
    pub by_staff: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was known: a tombstone refuses it later.
    Unknown,
    /// Answered: there was nothing to undo.
    Nothing,
    /// Answered: it was due, or staff hands the cash back.
    Undone,
    /// The provider is asked, or an operation in flight is waited for.
    Undoing,
    /// Cash was paid, and nobody said that it was handed back.
    AwaitsHandBack,
    AlreadyAsked,
}

pub fn cancel_payment(ctx: &mut Context<'_>, command: CancelPayment) -> Result<Outcome, Fault> {
    let Some(mut payment) = change::load(ctx, payment_of(command.order_id))? else {
        return bury(ctx, command);
    };
    if payment.cancelling {
        return Ok(Outcome::AlreadyAsked);
    }
    payment.cancelling = true;
    payment.goal = Goal::Undo;
    let outcome = if payment.is_closed() {
        change::tell_voided(ctx, &mut payment, VoidReason::Nothing)?;
        Outcome::Nothing
    } else if payment.state == PaymentState::Due {
        payment.void();
        change::tell_voided(ctx, &mut payment, VoidReason::Requested)?;
        Outcome::Undone
    } else if payment.awaits_hand_back() && command.by_staff {
        change::hand_back(ctx, &mut payment)?;
        Outcome::Undone
    } else if payment.awaits_hand_back() {
        tracing::warn!(payment = %payment.id, flow = %payment.flow,
            "a cancelled order's cash waits for staff to hand it back");
        Outcome::AwaitsHandBack
    } else {
        Outcome::Undoing
    };
    change::store(ctx, payment)?;
    Ok(outcome)
}

fn bury(ctx: &mut Context<'_>, command: CancelPayment) -> Result<Outcome, Fault> {
    let id = payment_of(command.order_id);
    let mut tombstone = Payment::tombstone(id, command.location_id, ctx.cause().flow, ctx.now());
    change::tell_voided(ctx, &mut tombstone, VoidReason::Nothing)?;
    tables::payment::insert(ctx, &tombstone)?;
    Ok(Outcome::Unknown)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use pasar_contracts::api::payments::ProviderAnswer;

    use super::*;
    use crate::{
        commands::{
            initiate_payment::{self, initiate_payment},
            record_answer::record_answer,
            request_refund::{RequestRefund, request_refund},
        },
        testing::{Bench, LOCATION, ORDER, REFUND, answer_to, by, idr},
    };

    const CANCEL: CancelPayment = CancelPayment {
        order_id: ORDER,
        location_id: LOCATION,
        by_staff: false,
    };
    const BY_STAFF: CancelPayment = CancelPayment {
        by_staff: true,
        ..CANCEL
    };

    fn cancelled(bench: Bench) -> Bench {
        bench.then(|ctx| cancel_payment(ctx, CANCEL))
    }

    /// What the provider's answer to the effect in flight leads to.
    fn answered(bench: &Bench, answer: ProviderAnswer) -> String {
        let effect = bench.effects().pop().expect("an effect waits");
        let command = answer_to(&effect, answer);
        bench.report(move |ctx| record_answer(ctx, command.clone()))
    }

    #[test]
    fn what_is_not_known_is_answered_and_refused_later() {
        let bench = Bench::new();
        let report = bench.report(|ctx| cancel_payment(ctx, CANCEL));
        assert_snapshot!(report, @r#"
        Unknown
        event 1 payment.voided.v1 {"reason":"nothing"}
        payment voided, goal undo
        "#);
        let late = bench
            .run(|ctx| initiate_payment(ctx, by("sandbox")))
            .unwrap();
        assert_eq!(late, initiate_payment::Outcome::AlreadyKnown);
        assert_eq!(bench.effects(), []);
    }

    #[test]
    fn what_is_declined_is_answered_with_nothing_to_do() {
        let report = Bench::new()
            .declined()
            .report(|ctx| cancel_payment(ctx, CANCEL));
        assert_snapshot!(report, @r#"
        Nothing
        event 3 payment.voided.v1 {"reason":"nothing"}
        payment declined, goal undo
        "#);
    }

    #[test]
    fn due_cash_is_voided_at_once() {
        let report = Bench::new().due().report(|ctx| cancel_payment(ctx, CANCEL));
        assert_snapshot!(report, @r#"
        Undone
        event 2 payment.voided.v1 {"reason":"requested"}
        payment voided, goal undo
        "#);
    }

    #[test]
    fn an_authorisation_is_voided_at_the_provider() {
        let bench = Bench::new().authorized();
        assert_snapshot!(bench.report(|ctx| cancel_payment(ctx, CANCEL)), @r#"
        Undoing
        payment authorized, goal undo
        effect void 2500000
        "#);
        assert_snapshot!(answered(&bench, ProviderAnswer::Voided), @r#"
        Changed
        event 3 payment.voided.v1 {"reason":"requested"}
        payment voided, goal undo
        "#);
    }

    #[test]
    fn an_authorisation_in_flight_is_waited_for_and_then_voided() {
        let bench = Bench::new().initiated();
        assert_snapshot!(bench.report(|ctx| cancel_payment(ctx, CANCEL)), @r#"
        Undoing
        payment pending, goal undo
        effect authorize 2500000
        "#);
        assert_snapshot!(answered(&bench, ProviderAnswer::Authorized), @r#"
        Changed
        event 2 payment.authorized.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        payment authorized, goal undo
        effect void 2500000
        "#);
    }

    #[test]
    fn a_capture_that_wins_the_race_is_given_back_in_full() {
        let bench = cancelled(Bench::new().capturing());
        assert_snapshot!(answered(&bench, ProviderAnswer::Captured), @r#"
        Changed
        event 3 payment.captured.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        ledger provider:sandbox 2500000
        ledger sales -2500000
        payment captured, goal undo, captured 2500000, refunding 2500000
        effect refund 2500000
        "#);
        assert_snapshot!(answered(&bench, ProviderAnswer::Refunded), @r#"
        Changed
        event 4 payment.refunded.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"in_full":true,"refund_id":"rfd#1","refunded_total":{"amount_minor":2500000,"currency":"IDR"}}
        ledger refunds 2500000
        ledger provider:sandbox -2500000
        payment refunded, goal undo, captured 2500000, refunded 2500000
        "#);
    }

    #[test]
    fn a_capture_that_fails_leaves_an_authorisation_to_void() {
        let bench = cancelled(Bench::new().capturing());
        let reason = "expired_card".to_owned();
        assert_snapshot!(answered(&bench, ProviderAnswer::Declined { reason }), @r#"
        Changed
        event 3 payment.capture_failed.v1 {"reason":"expired_card"}
        payment authorized, goal undo
        effect void 2500000
        "#);
    }

    #[test]
    fn a_void_that_comes_too_late_becomes_a_refund() {
        let bench = cancelled(Bench::new().authorized());
        assert_snapshot!(answered(&bench, ProviderAnswer::Captured), @r#"
        Changed
        event 3 payment.captured.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        ledger provider:sandbox 2500000
        ledger sales -2500000
        payment captured, goal undo, captured 2500000, refunding 2500000
        effect refund 2500000
        "#);
    }

    #[test]
    fn a_refund_on_its_way_goes_first_and_the_rest_follows() {
        let part = RequestRefund {
            order_id: ORDER,
            refund_id: REFUND,
            amount: idr(500_000),
        };
        let bench = cancelled(
            Bench::new()
                .captured()
                .then(move |ctx| request_refund(ctx, part)),
        );
        assert_snapshot!(answered(&bench, ProviderAnswer::Refunded), @r#"
        Changed
        event 4 payment.refunded.v1 {"amount":{"amount_minor":500000,"currency":"IDR"},"in_full":false,"refund_id":"rfd#1","refunded_total":{"amount_minor":500000,"currency":"IDR"}}
        ledger refunds 500000
        ledger provider:sandbox -500000
        payment partially_refunded, goal undo, captured 2500000, refunded 500000, refunding 2000000
        effect refund 2000000
        "#);
        assert_snapshot!(answered(&bench, ProviderAnswer::Refunded), @r#"
        Changed
        event 5 payment.refunded.v1 {"amount":{"amount_minor":2000000,"currency":"IDR"},"in_full":true,"refund_id":"rfd#1","refunded_total":{"amount_minor":2500000,"currency":"IDR"}}
        ledger refunds 2000000
        ledger provider:sandbox -2000000
        payment refunded, goal undo, captured 2500000, refunded 2500000
        "#);
    }

    #[test]
    fn staff_that_cancels_states_that_paid_cash_was_handed_back() {
        let report = Bench::new()
            .paid_in_cash()
            .report(|ctx| cancel_payment(ctx, BY_STAFF));
        assert_snapshot!(report, @r#"
        Undone
        event 3 payment.refunded.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"in_full":true,"refund_id":"rfd#1","refunded_total":{"amount_minor":2500000,"currency":"IDR"}}
        ledger refunds 2500000
        ledger cash_drawer -2500000
        payment refunded, goal undo, captured 2500000, refunded 2500000
        "#);
    }

    #[test]
    fn paid_cash_of_an_order_that_others_cancel_waits_for_staff() {
        let report = Bench::new()
            .paid_in_cash()
            .report(|ctx| cancel_payment(ctx, CANCEL));
        assert_snapshot!(report, @r#"
        AwaitsHandBack
        payment captured, goal undo, captured 2500000
        "#);
    }

    #[test]
    fn an_order_is_answered_once() {
        for bench in [
            Bench::new(),
            Bench::new().declined(),
            Bench::new().due(),
            Bench::new().captured(),
            Bench::new().paid_in_cash(),
        ] {
            let bench = cancelled(bench);
            let head = bench.store.head();
            let again = bench.run(|ctx| cancel_payment(ctx, CANCEL)).unwrap();
            assert_eq!((again, bench.store.head()), (Outcome::AlreadyAsked, head));
        }
    }
}
