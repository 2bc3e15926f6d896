//! A payment waits for its customer: ask the provider how far they are, as its notice may be lost.

use pasar_contracts::api::payments::{Operation, PaymentState};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use super::change;

/// The timer's kind; its key is the payment's id.
pub const TIMER: &str = "look_up_payment";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUpPayment {
    pub payment_id: PaymentId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Asked,
    /// The customer has acted, or something else is in flight, whose result tells.
    NotNeeded,
}

pub fn look_up_payment(ctx: &mut Context<'_>, command: LookUpPayment) -> Result<Outcome, Fault> {
    let mut payment = change::load_known(ctx, command.payment_id)?;
    if payment.state != PaymentState::RequiresAction || payment.in_flight.is_some() {
        return Ok(Outcome::NotNeeded);
    }
    change::ask(ctx, &mut payment, Operation::LookUp, None)?;
    change::store(ctx, payment)?;
    Ok(Outcome::Asked)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;
    use pasar_contracts::{api::payments::ProviderAnswer, events::payments::NextAction};

    use super::*;
    use crate::testing::{Bench, PAYMENT};

    const LOOK_UP: LookUpPayment = LookUpPayment {
        payment_id: PAYMENT,
    };

    #[test]
    fn a_customer_who_has_not_acted_is_looked_up_once_at_a_time() {
        let bench = Bench::new().initiated();
        let next_action = NextAction::Qr {
            payload: "000201".to_owned(),
            expires_at: bench.now() + Duration::from_secs(600),
        };
        let bench = bench.answered(ProviderAnswer::RequiresAction { next_action });
        assert_snapshot!(bench.report(|ctx| look_up_payment(ctx, LOOK_UP)), @r#"
        Asked
        payment requires_action, goal hold
        effect look_up 2500000
        timer look_up_payment in 30 s
        "#);
        let again = bench.run(|ctx| look_up_payment(ctx, LOOK_UP)).unwrap();
        assert_eq!(again, Outcome::NotNeeded);
    }

    #[test]
    fn a_customer_who_has_acted_is_not_looked_up() {
        let bench = Bench::new().authorized();
        let outcome = bench.run(|ctx| look_up_payment(ctx, LOOK_UP)).unwrap();
        assert_eq!(outcome, Outcome::NotNeeded);
    }
}
