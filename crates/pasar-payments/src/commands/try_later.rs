//! A provider's answer did not come, or cannot be used: the result stays unknown, and the effect is
//! tried again with a growing pause. An outage costs nothing but time.

use std::time::Duration;

use pasar_contracts::api::payments::Operation;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::PaymentId;

use crate::{config::RetryConfig, tables};

/// Doublings after which every pause is at its maximum anyway.
const MAX_DOUBLINGS: u32 = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryLater {
    pub payment_id: PaymentId,
    pub effect: i64,
    pub operation: Operation,
    /// Tries before this one.
    pub attempts: u32,
    /// Short: it is kept.
    pub error: String,
    pub retry: RetryConfig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The effect waits for its next try.
    Waiting,
    /// Somebody else ended it in the meantime.
    Ended,
}

pub fn try_later(ctx: &mut Context<'_>, command: &TryLater) -> Result<Outcome, Fault> {
    let most = pause(&command.retry, command.attempts);
    // Half of the pause is drawn, so that what failed together does not come back together.
    let half_micros = u64::try_from(most.as_micros() / 2).unwrap_or(u64::MAX);
    let drawn_micros = u64::from_le_bytes(ctx.random_bytes()) % half_micros.max(1);
    let due = ctx.now() + most / 2 + Duration::from_micros(drawn_micros);
    if !ctx.retry_effect(command.effect, due, &command.error)? {
        return Ok(Outcome::Ended);
    }
    tables::attempt::count(ctx, command.payment_id, command.operation, &command.error)?;
    Ok(Outcome::Waiting)
}

/// The longest pause after so many failures.
fn pause(retry: &RetryConfig, attempts: u32) -> Duration {
    let first = Duration::from_millis(retry.first_ms);
    let most = Duration::from_millis(retry.most_ms);
    first
        .saturating_mul(1 << attempts.min(MAX_DOUBLINGS))
        .min(most)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::testing::{Bench, PAYMENT};

    const RETRY: RetryConfig = RetryConfig {
        first_ms: 500,
        most_ms: 300_000,
    };

    fn failed(effect: i64, attempts: u32) -> TryLater {
        TryLater {
            payment_id: PAYMENT,
            effect,
            operation: Operation::Authorize,
            attempts,
            error: "no answer within 10s".to_owned(),
            retry: RETRY,
        }
    }

    #[test]
    fn an_unknown_result_stays_unknown_and_is_tried_again() {
        let bench = Bench::new().initiated();
        let effect = bench.effects()[0].id;
        let report = bench.report(move |ctx| try_later(ctx, &failed(effect, 5)));
        assert_snapshot!(report, @r#"
        Waiting
        payment pending, goal hold
        effect authorize 2500000 later
        "#);
        assert_eq!(bench.effects()[0].attempts, 1);
    }

    #[test]
    fn an_effect_that_somebody_else_ended_is_left_alone() {
        let bench = Bench::new().initiated();
        let outcome = bench.run(|ctx| try_later(ctx, &failed(4_711, 0))).unwrap();
        assert_eq!(outcome, Outcome::Ended);
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pause_ms = |attempts| pause(&RETRY, attempts).as_millis();
        assert_eq!(
            [0, 1, 2, 9, 10, u32::MAX].map(pause_ms),
            [500, 1_000, 2_000, 256_000, 300_000, 300_000]
        );
    }
}
