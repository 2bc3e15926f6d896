//! The provider holds nothing any more: because it was asked to, or because it let it lapse.

use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use super::change;
use crate::payment::News;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordVoid {
    pub payment_id: PaymentId,
    /// The effect that it ends; absent when the provider told without being asked.
    pub effect: Option<i64>,
}

pub fn record_void(ctx: &mut Context<'_>, command: RecordVoid) -> Result<News, Fault> {
    let mut payment = change::load_known(ctx, command.payment_id)?;
    change::end_effect(ctx, &mut payment, command.effect)?;
    let news = payment.void();
    if news == News::Changed {
        let reason = payment.void_reason();
        change::tell_voided(ctx, &mut payment, reason)?;
    }
    change::store(ctx, payment)?;
    Ok(news)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, PAYMENT};

    const TOLD: RecordVoid = RecordVoid {
        payment_id: PAYMENT,
        effect: None,
    };

    #[test]
    fn an_authorisation_that_nobody_wanted_undone_has_lapsed() {
        let report = Bench::new()
            .authorized()
            .report(|ctx| record_void(ctx, TOLD));
        assert_snapshot!(report, @r#"
        Changed
        event 3 payment.voided.v1 {"reason":"lapsed"}
        payment voided, goal hold
        "#);
    }

    #[test]
    fn what_was_captured_is_not_voided() {
        let report = Bench::new().captured().report(|ctx| record_void(ctx, TOLD));
        assert_snapshot!(report, @r#"
        Old
        payment captured, goal capture, captured 2500000
        "#);
    }
}
