//! The provider answered whether it holds the money: yes, no, or once the customer has acted.

use std::time::Duration;

use pasar_contracts::{
    api::payments::PaymentState,
    events::payments::{NextAction, PaymentAuthorized, PaymentDeclined, PaymentRequiresAction},
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{id::PaymentId, time::Timestamp};

use super::{change, look_up_payment};
use crate::payment::{News, Payment};

/// An action is looked up this often while its customer has not acted.
pub const LOOK_UP_EVERY: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
pub struct RecordAuthorization {
    pub payment_id: PaymentId,
    /// The effect that it ends; absent when the provider told without being asked.
    pub effect: Option<i64>,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Authorized,
    Declined { reason: String },
    RequiresAction { next_action: NextAction },
}

pub fn record_authorization(
    ctx: &mut Context<'_>,
    command: RecordAuthorization,
) -> Result<News, Fault> {
    let mut payment = change::load_known(ctx, command.payment_id)?;
    change::end_effect(ctx, &mut payment, command.effect)?;
    let news = match command.answer {
        Answer::Authorized => authorized(ctx, &mut payment)?,
        Answer::Declined { reason } => declined(ctx, &mut payment, reason)?,
        Answer::RequiresAction { next_action } => requires_action(ctx, &mut payment, &next_action)?,
    };
    change::store(ctx, payment)?;
    Ok(news)
}

fn authorized(ctx: &mut Context<'_>, payment: &mut Payment) -> Result<News, Fault> {
    let news = payment.authorize(ctx.now());
    match news {
        News::Changed => {
            let event = PaymentAuthorized {
                payment: payment.reference(),
                amount: payment.amount,
            };
            change::tell(ctx, payment, &event)?;
        }
        News::Late => {
            tracing::warn!(payment = %payment.id, flow = %payment.flow,
                "an authorisation came after its payment was closed; it is voided");
        }
        News::Old => {}
    }
    Ok(news)
}

fn declined(ctx: &mut Context<'_>, payment: &mut Payment, reason: String) -> Result<News, Fault> {
    let news = payment.decline(reason.clone());
    if news == News::Changed {
        let event = PaymentDeclined {
            payment: payment.reference(),
            reason,
        };
        change::tell(ctx, payment, &event)?;
    }
    Ok(news)
}

fn requires_action(
    ctx: &mut Context<'_>,
    payment: &mut Payment,
    next_action: &NextAction,
) -> Result<News, Fault> {
    let now = ctx.now();
    let news = payment.require_action(expiry(next_action));
    if news == News::Changed {
        let event = PaymentRequiresAction {
            payment: payment.reference(),
            expires_at: expiry(next_action),
        };
        payment.keyversion += 1;
        let key = payment.order_id().to_string();
        ctx.emit_private(&key, payment.keyversion, &event, next_action)?;
    }
    let Some(expires_at) = payment.action_expires_at else {
        return Ok(news);
    };
    if now < expires_at {
        let due = expires_at.min(now + LOOK_UP_EVERY);
        ctx.set_timer(look_up_payment::TIMER, &payment.id.to_string(), due)?;
    } else if payment.state == PaymentState::RequiresAction {
        payment.letting_go = true;
    }
    Ok(news)
}

const fn expiry(next_action: &NextAction) -> Timestamp {
    match next_action {
        NextAction::Redirect { expires_at, .. } | NextAction::Qr { expires_at, .. } => *expires_at,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use pasar_types::time::Timestamp;

    use super::*;
    use crate::{
        commands::look_up_payment::{LookUpPayment, look_up_payment},
        testing::{Bench, PAYMENT},
    };

    fn told(answer: Answer) -> RecordAuthorization {
        RecordAuthorization {
            payment_id: PAYMENT,
            effect: None,
            answer,
        }
    }

    fn ended(bench: &Bench, answer: Answer) -> RecordAuthorization {
        RecordAuthorization {
            effect: bench.effects().pop().map(|effect| effect.id),
            ..told(answer)
        }
    }

    fn report(bench: &Bench, command: RecordAuthorization) -> String {
        bench.report(move |ctx| record_authorization(ctx, command.clone()))
    }

    fn action(bench: &Bench, span_s: u64) -> Answer {
        let next_action = NextAction::Redirect {
            url: "https://bank.example/3ds".to_owned(),
            expires_at: bench.now() + Duration::from_secs(span_s),
        };
        Answer::RequiresAction { next_action }
    }

    fn acting(bench: Bench, expires_at: Timestamp) -> Bench {
        let next_action = NextAction::Redirect {
            url: String::new(),
            expires_at,
        };
        let command = ended(&bench, Answer::RequiresAction { next_action });
        bench.then(move |ctx| record_authorization(ctx, command.clone()))
    }

    #[test]
    fn an_authorisation_waits_for_its_order_to_be_secured() {
        let bench = Bench::new().initiated();
        let command = ended(&bench, Answer::Authorized);
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 2 payment.authorized.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        payment authorized, goal hold
        "#);
    }

    #[test]
    fn a_refusal_is_final_and_says_why() {
        let bench = Bench::new().initiated();
        let reason = "card_declined".to_owned();
        let command = ended(&bench, Answer::Declined { reason });
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 2 payment.declined.v1 {"reason":"card_declined"}
        payment declined, goal hold
        "#);
    }

    #[test]
    fn an_action_is_told_privately_and_looked_up_now_and_then() {
        let bench = Bench::new().initiated();
        let command = ended(&bench, action(&bench, 600));
        assert_snapshot!(report(&bench, command), @r#"
        Changed
        event 2 payment.requires_action.v1 {"expires_at":"2026-01-01T00:10:00Z"} and a private part
        payment requires_action, goal hold
        timer look_up_payment in 30 s
        "#);
    }

    #[test]
    fn an_action_that_is_not_done_in_time_lapses_at_the_provider() {
        let bench = Bench::new().initiated();
        let expires_at = bench.now() + Duration::from_secs(20);
        let bench = acting(bench, expires_at)
            .later(Duration::from_secs(20))
            .then(|ctx| {
                look_up_payment(
                    ctx,
                    LookUpPayment {
                        payment_id: PAYMENT,
                    },
                )
            });
        let command = ended(&bench, action(&bench, 0));
        assert_snapshot!(report(&bench, command), @r#"
        Old
        payment requires_action, goal hold
        effect void 2500000
        timer look_up_payment in 0 s
        "#);
    }

    #[test]
    fn an_answer_that_a_notice_brought_before_is_old_but_ends_its_effect() {
        let bench = Bench::new()
            .initiated()
            .then(|ctx| record_authorization(ctx, told(Answer::Authorized)));
        let command = ended(&bench, Answer::Authorized);
        assert_snapshot!(report(&bench, command), @r#"
        Old
        payment authorized, goal hold
        "#);
    }

    #[test]
    fn a_stale_workers_answer_counts_but_does_not_end_the_effect_of_another() {
        let bench = Bench::new().initiated();
        let stale = RecordAuthorization {
            effect: Some(4_711),
            ..told(Answer::Authorized)
        };
        assert_snapshot!(report(&bench, stale), @r#"
        Changed
        event 2 payment.authorized.v1 {"amount":{"amount_minor":2500000,"currency":"IDR"}}
        payment authorized, goal hold
        effect authorize 2500000
        "#);
    }

    #[test]
    fn an_authorisation_after_the_end_is_voided_without_a_word() {
        let bench = Bench::new().declined();
        assert_snapshot!(report(&bench, told(Answer::Authorized)), @r#"
        Late
        payment declined, goal hold
        effect void 2500000
        "#);
    }

    #[test]
    fn news_that_come_in_the_wrong_order_do_not_take_a_payment_back() {
        let bench = Bench::new().captured();
        let reason = String::new();
        for answer in [
            Answer::Authorized,
            Answer::Declined { reason },
            action(&bench, 600),
        ] {
            let head = bench.store.head();
            let news = bench.run(move |ctx| record_authorization(ctx, told(answer.clone())));
            assert_eq!((news.unwrap(), bench.store.head()), (News::Old, head));
        }
    }
}
