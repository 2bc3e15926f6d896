//! Calls the provider for one effect and records what it says.
//!
//! The first try does what is intended, under its idempotency key. After a try without an answer the
//! result is unknown: the payment is looked up by our reference before anything is done again, and once
//! the key may be forgotten nothing is created again at all.

use std::time::Duration;

use pasar_chassis::{
    effects::{Done, EffectWorker, Running},
    problem::Chain,
};
use pasar_contracts::api::payments::{Operation, ProviderAnswer, ProviderRequest};
use pasar_store::{
    cause::Cause,
    crash::{self, CrashPoint},
    effect::Effect,
    fault::Fault,
    lane::{Class, LaneKey},
    lease::Lease,
    store::Store,
};

use super::work::Work;
use crate::{
    commands::{
        record_answer::{RecordAnswer, record_answer},
        try_later::{TryLater, try_later},
    },
    config::{Config, RetryConfig},
    methods::Methods,
    payment::Goal,
    provider::{Call, NoAnswer, Provider},
    tables,
};

/// What the order is told of an operation that nobody at the provider knows of any more.
pub const EXPIRED: &str = "expired";

/// Longest error text that is logged and kept.
const MAX_ERROR_CHARS: usize = 300;

pub struct Worker {
    store: Store,
    methods: Methods,
    retry: RetryConfig,
    key_lifetime: Duration,
}

/// What was asked in the end, and what was answered.
struct Answered {
    operation: Operation,
    answer: ProviderAnswer,
}

impl Worker {
    #[must_use]
    pub fn new(store: Store, methods: Methods, config: &Config) -> Self {
        Self {
            store,
            methods,
            retry: config.retry,
            key_lifetime: config.key_lifetime(),
        }
    }

    async fn run_one(&self, effect: Effect, lease: Lease) -> Result<Done, Fault> {
        let work: Work = effect.decode()?;
        crash::at(CrashPoint::EffectStarted);
        match self.settle(&effect, &work).await {
            Ok(answered) => {
                crash::at(CrashPoint::ProviderAnswered);
                self.record(&effect, &work, answered, lease).await?;
                Ok(Done::Finished)
            }
            Err(no_answer) => self.wait(&effect, &work, &no_answer, lease).await,
        }
    }

    /// Finds out, or brings about, what the effect is about.
    async fn settle(&self, effect: &Effect, work: &Work) -> Result<Answered, NoAnswer> {
        let provider = self
            .methods
            .provider(&work.method)
            .ok_or_else(|| NoAnswer::NotConfigured(work.method.clone()))?;
        let cause = effect.cause();
        let outlived = work.outlived(self.key_lifetime, self.store.clock().now());
        if effect.attempts == 0 && !outlived {
            return ask(provider, &cause, work.request()).await;
        }
        if let Some(answered) = look_up(provider, &cause, work).await? {
            return Ok(answered);
        }
        if self.is_unwanted(work).await? {
            return ask(provider, &cause, work.void()).await;
        }
        match work.operation {
            Operation::Authorize | Operation::Refund if outlived => Ok(Answered {
                operation: work.operation,
                answer: ProviderAnswer::Declined {
                    reason: EXPIRED.to_owned(),
                },
            }),
            _ => ask(provider, &cause, work.request()).await,
        }
    }

    /// Whether the order was cancelled while the result was unknown, so that it is undone instead.
    async fn is_unwanted(&self, work: &Work) -> Result<bool, NoAnswer> {
        if !matches!(work.operation, Operation::Authorize | Operation::Capture) {
            return Ok(false);
        }
        let id = work.payment_id;
        let payment = self
            .store
            .read(move |tx| tables::payment::find(tx, id))
            .await
            .map_err(|fault| NoAnswer::Unreachable(Box::new(fault)))?;
        Ok(payment.is_some_and(|payment| payment.goal == Goal::Undo))
    }

    /// What the provider said is a fact, whoever learned it. Only the effect ends by the lease's holder alone:
    /// from anybody else the fact is taken as if the provider had told it by itself.
    async fn record(
        &self,
        effect: &Effect,
        work: &Work,
        answered: Answered,
        lease: Lease,
    ) -> Result<(), Fault> {
        let command = RecordAnswer {
            payment_id: work.payment_id,
            effect: Some(effect.id),
            operation: answered.operation,
            refund_id: work.refund_id,
            answer: answered.answer,
        };
        let lane = LaneKey::of(work.payment_id.as_bytes());
        self.store
            .write(lane, Class::Internal, effect.cause(), move |ctx| {
                let mut command = command.clone();
                if !ctx.is_holding(&lease)? {
                    command.effect = None;
                }
                record_answer(ctx, command)
            })
            .await
            .map(|_| ())
    }

    async fn wait(
        &self,
        effect: &Effect,
        work: &Work,
        no_answer: &NoAnswer,
        lease: Lease,
    ) -> Result<Done, Fault> {
        metrics::counter!("pasar_payments_unanswered_total", "method" => work.method.clone())
            .increment(1);
        let error: String = Chain(no_answer)
            .to_string()
            .chars()
            .take(MAX_ERROR_CHARS)
            .collect();
        tracing::warn!(payment = %work.payment_id, operation = %work.operation,
            attempts = effect.attempts, flow = %effect.flow, error,
            "a provider gave no answer; its result is unknown for now");
        let command = TryLater {
            payment_id: work.payment_id,
            effect: effect.id,
            operation: work.operation,
            attempts: effect.attempts,
            error,
            retry: self.retry,
        };
        let lane = LaneKey::of(work.payment_id.as_bytes());
        self.store
            .write(lane, Class::Internal, effect.cause(), move |ctx| {
                ctx.holding(&lease)?;
                try_later(ctx, &command)
            })
            .await
            .map(|_| Done::Retry)
    }
}

impl EffectWorker for Worker {
    fn run(&self, effect: Effect, lease: Lease) -> Running<'_> {
        Box::pin(self.run_one(effect, lease))
    }
}

/// Asks for an operation and takes the answers that it can have.
async fn ask(
    provider: &dyn Provider,
    cause: &Cause,
    request: ProviderRequest,
) -> Result<Answered, NoAnswer> {
    let operation = request.operation;
    let answer = call(provider, cause, request).await?;
    let answer = match (operation, answer) {
        // Nothing is held by whom nobody knows.
        (Operation::Void | Operation::LookUp, ProviderAnswer::NotFound) => ProviderAnswer::Voided,
        (
            Operation::Authorize,
            answer @ (ProviderAnswer::Authorized
            | ProviderAnswer::Captured
            | ProviderAnswer::Declined { .. }
            | ProviderAnswer::RequiresAction { .. }
            | ProviderAnswer::Voided),
        )
        | (
            Operation::Capture,
            answer @ (ProviderAnswer::Captured
            | ProviderAnswer::Declined { .. }
            | ProviderAnswer::Voided),
        )
        | (Operation::Void, answer @ (ProviderAnswer::Voided | ProviderAnswer::Captured))
        | (
            Operation::Refund,
            answer @ (ProviderAnswer::Refunded | ProviderAnswer::Declined { .. }),
        )
        | (
            Operation::LookUp,
            answer @ (ProviderAnswer::Authorized
            | ProviderAnswer::Captured
            | ProviderAnswer::Declined { .. }
            | ProviderAnswer::RequiresAction { .. }
            | ProviderAnswer::Voided),
        ) => answer,
        (operation, answer) => return Err(senseless(operation, &answer)),
    };
    Ok(Answered { operation, answer })
}

/// What the provider knows of the work already; `None` if it was not done.
async fn look_up(
    provider: &dyn Provider,
    cause: &Cause,
    work: &Work,
) -> Result<Option<Answered>, NoAnswer> {
    let answer = call(provider, cause, work.look_up()).await?;
    let operation = work.operation;
    let answer = match (operation, answer) {
        (Operation::Authorize | Operation::Refund, ProviderAnswer::NotFound)
        | (Operation::Capture, ProviderAnswer::Authorized)
        | (Operation::Void, ProviderAnswer::Authorized | ProviderAnswer::RequiresAction { .. }) => {
            return Ok(None);
        }
        (
            Operation::Void,
            ProviderAnswer::NotFound | ProviderAnswer::Declined { .. } | ProviderAnswer::Voided,
        )
        | (Operation::LookUp, ProviderAnswer::NotFound) => ProviderAnswer::Voided,
        (
            Operation::Refund,
            answer @ (ProviderAnswer::Refunded | ProviderAnswer::Declined { .. }),
        ) => answer,
        (
            Operation::Authorize | Operation::Capture | Operation::Void | Operation::LookUp,
            answer @ (ProviderAnswer::Captured | ProviderAnswer::Voided),
        )
        | (
            Operation::Authorize | Operation::Capture | Operation::LookUp,
            answer @ ProviderAnswer::Declined { .. },
        )
        | (
            Operation::Authorize | Operation::LookUp,
            answer @ (ProviderAnswer::Authorized | ProviderAnswer::RequiresAction { .. }),
        ) => answer,
        (operation, answer) => return Err(senseless(operation, &answer)),
    };
    Ok(Some(Answered { operation, answer }))
}

async fn call(
    provider: &dyn Provider,
    cause: &Cause,
    request: ProviderRequest,
) -> Result<ProviderAnswer, NoAnswer> {
    let call = Call {
        request,
        cause: cause.clone(),
    };
    provider.call(&call).await
}

/// An answer that the operation cannot have.
fn senseless(operation: Operation, answer: &ProviderAnswer) -> NoAnswer {
    NoAnswer::Unusable(format!("{} to {operation}", answer.status()))
}
