//! A provider told something without being asked: store it first, then match it. It may come before
//! the response to our own call, twice, out of order, or after we gave up.

use pasar_contracts::api::payments::{Operation, ProviderAnswer, ProviderNotice};
use pasar_store::{context::Context, fault::Fault};

use super::record_answer::{RecordAnswer, record_answer};
use crate::{payment::News, tables};

#[derive(Clone, Debug, PartialEq)]
pub struct ReceiveNotice {
    /// The configured provider that signed it.
    pub provider: String,
    /// The notice's own id, under which it counts once.
    pub id: String,
    pub notice: ProviderNotice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Matched(News),
    /// The same notice came before.
    Repeated,
    /// Kept, but it speaks of nothing of this provider's that is known here.
    Unmatched,
}

pub fn receive_notice(ctx: &mut Context<'_>, command: ReceiveNotice) -> Result<Outcome, Fault> {
    let ReceiveNotice {
        provider,
        id,
        notice,
    } = command;
    tables::notice::prune(ctx)?;
    if !tables::notice::insert(ctx, &provider, &id, &notice)? {
        return Ok(Outcome::Repeated);
    }
    if !concerns(ctx, &provider, &notice)? {
        tracing::warn!(provider, notice = id, reference = %notice.reference,
            "a provider told of a payment or refund that is not known here");
        return Ok(Outcome::Unmatched);
    }
    tables::notice::mark_matched(ctx, &provider, &id)?;
    let command = RecordAnswer {
        payment_id: notice.reference,
        effect: None,
        operation: Operation::LookUp,
        refund_id: notice.refund_id,
        answer: notice.answer,
    };
    record_answer(ctx, command).map(Outcome::Matched)
}

/// A provider may speak of its own payments only, and of refunds that were asked for.
fn concerns(ctx: &Context<'_>, provider: &str, notice: &ProviderNotice) -> Result<bool, Fault> {
    let Some(payment) = tables::payment::find(ctx, notice.reference)? else {
        return Ok(false);
    };
    let refund_known = match (notice.refund_id, &notice.answer) {
        (Some(refund), _) => tables::refund::find(ctx, payment.id, refund)?.is_some(),
        (None, ProviderAnswer::Refunded) => false,
        (None, _) => true,
    };
    Ok(payment.method == provider && refund_known)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use pasar_types::id::PaymentId;

    use super::*;
    use crate::testing::{Bench, PAYMENT, REFUND};

    fn notice(id: &str, answer: ProviderAnswer) -> ReceiveNotice {
        ReceiveNotice {
            provider: "sandbox".to_owned(),
            id: id.to_owned(),
            notice: ProviderNotice {
                reference: PAYMENT,
                refund_id: None,
                answer,
            },
        }
    }

    fn receive(bench: &Bench, command: ReceiveNotice) -> Outcome {
        bench
            .run(move |ctx| receive_notice(ctx, command.clone()))
            .unwrap()
    }

    #[test]
    fn a_notice_before_the_response_is_news_and_the_effect_goes_on() {
        let bench = Bench::new().initiated();
        let command = notice("n1", ProviderAnswer::Authorized);
        let report = bench.report(move |ctx| receive_notice(ctx, command.clone()));
        assert_snapshot!(report, @r#"
        Matched(Changed)
        event 2 payment.authorized.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        payment authorized, goal hold
        effect authorize 2500000
        "#);
    }

    #[test]
    fn the_same_notice_counts_once() {
        let bench = Bench::new().capturing();
        let command = notice("n1", ProviderAnswer::Captured);
        assert_eq!(
            receive(&bench, command.clone()),
            Outcome::Matched(News::Changed)
        );
        assert_eq!(receive(&bench, command), Outcome::Repeated);
        let renamed = notice("n2", ProviderAnswer::Captured);
        assert_eq!(receive(&bench, renamed), Outcome::Matched(News::Old));
    }

    #[test]
    fn a_provider_speaks_of_its_own_payments_only() {
        let bench = Bench::new().initiated();
        let foreign = ReceiveNotice {
            provider: "other".to_owned(),
            ..notice("n1", ProviderAnswer::Captured)
        };
        assert_eq!(receive(&bench, foreign), Outcome::Unmatched);
        let mut unknown = notice("n2", ProviderAnswer::Captured);
        unknown.notice.reference = PaymentId::from_bytes([9; 16]);
        assert_eq!(receive(&bench, unknown), Outcome::Unmatched);
    }

    #[test]
    fn a_refund_that_nobody_asked_for_is_kept_but_moves_nothing() {
        let bench = Bench::new().captured();
        let mut refunded = notice("n1", ProviderAnswer::Refunded);
        assert_eq!(receive(&bench, refunded.clone()), Outcome::Unmatched);
        refunded.id = "n2".to_owned();
        refunded.notice.refund_id = Some(REFUND);
        assert_eq!(receive(&bench, refunded), Outcome::Unmatched);
    }
}
