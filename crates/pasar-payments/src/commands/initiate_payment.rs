//! An order was placed: record the intent, and ask its provider to authorise.

use pasar_contracts::{
    api::payments::{Operation, PaymentState, Token},
    events::payments::{PaymentDeclined, PaymentDue, PaymentInitiated},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{LocationId, OrderId},
    money::Money,
};

use super::change;
use crate::{
    desk::Desk,
    payment::{Payment, payment_of},
    tables,
};

/// What an order is told whose method nobody configured.
pub const UNKNOWN_METHOD: &str = "unknown_method";

#[derive(Clone, Debug, PartialEq)]
pub struct InitiatePayment {
    pub order_id: OrderId,
    pub location_id: LocationId,
    pub method: String,
    /// Whether the method is configured here.
    pub method_known: bool,
    pub amount: Money,
    pub token: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider is asked.
    Initiated,
    /// Cash: to be paid at the counter.
    Due,
    /// Nobody here knows the method.
    Declined,
    /// The order has its payment already, or was cancelled before this was heard.
    AlreadyKnown,
}

pub fn initiate_payment(ctx: &mut Context<'_>, command: InitiatePayment) -> Result<Outcome, Fault> {
    initiate_at(ctx, &mut Desk::default(), command)
}

pub(crate) fn initiate_at(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    command: InitiatePayment,
) -> Result<Outcome, Fault> {
    let id = payment_of(command.order_id);
    if desk.take(ctx, id)?.is_some() {
        return Ok(Outcome::AlreadyKnown);
    }
    let mut payment = Payment::new(
        id,
        command.location_id,
        ctx.cause().flow,
        command.method,
        command.amount,
        ctx.now(),
    );
    payment.keyversion = 1;
    let outcome = if !command.method_known {
        payment.decline(UNKNOWN_METHOD.to_owned());
        Outcome::Declined
    } else if payment.is_cash() {
        payment.state = PaymentState::Due;
        Outcome::Due
    } else {
        payment.in_flight = Some(Operation::Authorize);
        Outcome::Initiated
    };
    tables::payment::insert(ctx, &payment)?;
    if outcome == Outcome::Initiated {
        change::ask(ctx, &mut payment, Operation::Authorize, command.token)?;
    }
    publish(ctx, payment)?;
    Ok(outcome)
}

fn publish(ctx: &mut Context<'_>, payment: Payment) -> Result<(), Fault> {
    let key = payment.order_id().to_string();
    let (version, amount) = (payment.keyversion, payment.amount);
    let reference = payment.reference();
    match payment.state {
        PaymentState::Due => {
            let event = PaymentDue {
                payment: reference,
                amount,
            };
            ctx.emit(&key, version, &event)
        }
        PaymentState::Declined => {
            let event = PaymentDeclined {
                payment: reference,
                reason: payment.reason.unwrap_or_default(),
            };
            ctx.emit(&key, version, &event)
        }
        _ => {
            let event = PaymentInitiated {
                payment: reference,
                amount,
                method: payment.method,
            };
            ctx.emit(&key, version, &event)
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, by};

    #[test]
    fn a_placed_order_asks_its_provider_to_authorise() {
        let report = Bench::new().report(|ctx| initiate_payment(ctx, by("sandbox")));
        assert_snapshot!(report, @r#"
        Initiated
        event 1 payment.initiated.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"},"method":"sandbox"}
        payment pending, goal hold
        effect authorize 2500000
        "#);
    }

    #[test]
    fn cash_is_due_at_once_and_asks_nobody() {
        let report = Bench::new().report(|ctx| initiate_payment(ctx, by("cash")));
        assert_snapshot!(report, @r#"
        Due
        event 1 payment.due.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        payment due, goal hold
        "#);
    }

    #[test]
    fn a_method_that_nobody_configured_is_declined() {
        let unknown = InitiatePayment {
            method_known: false,
            ..by("barter")
        };
        let report = Bench::new().report(move |ctx| initiate_payment(ctx, unknown.clone()));
        assert_snapshot!(report, @r#"
        Declined
        event 1 payment.declined.v1 {"reason":"unknown_method"}
        payment declined, goal hold
        "#);
    }

    #[test]
    fn the_same_order_again_changes_nothing() {
        let report = Bench::new()
            .initiated()
            .report(|ctx| initiate_payment(ctx, by("sandbox")));
        assert_snapshot!(report, @r#"
        AlreadyKnown
        payment pending, goal hold
        effect authorize 2500000
        "#);
    }

    #[test]
    fn the_token_is_nowhere_once_the_authorisation_is_final() {
        let kept = |bench: &Bench| {
            let effects = bench.effects();
            effects
                .iter()
                .any(|effect| effect.payload.contains("tok_ok"))
        };
        assert!(kept(&Bench::new().initiated()));
        assert!(!kept(&Bench::new().capturing()));
    }
}
