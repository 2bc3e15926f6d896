//! One delivery on its way: what is sent, how it ended, and what that means.

use std::{sync::Arc, time::Duration};

use pasar_contracts::api::relay::RetryPolicy;
use pasar_types::time::Timestamp;

use super::schedule::{self, Failed};
use crate::{
    commands::record_deliveries::{Item, Verdict},
    destination::{Failure, Next, Sent},
    message::Message,
    tables::attempts::Tried,
};

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) message: Arc<Message>,
    /// Attempts before this one.
    pub(crate) attempts: u32,
    /// When it first failed.
    pub(crate) since: Option<Timestamp>,
    /// It stands in `retry`.
    pub(crate) from_retry: bool,
    /// How often a replay had asked for it when it was read from there.
    pub(crate) asked: i64,
}

/// A job whose attempt has ended.
pub(crate) struct Ended {
    pub(crate) job: Job,
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    pub(crate) sent: Sent,
}

/// Characters of an answer that are kept.
const MAX_DETAIL_CHARS: usize = 1_024;

impl Job {
    pub(crate) const fn first(message: Arc<Message>) -> Self {
        Self {
            message,
            attempts: 0,
            since: None,
            from_retry: false,
            asked: 0,
        }
    }

    /// What is recorded for one that waits behind another of its key.
    pub(crate) fn held(self, now: Timestamp) -> Item {
        Item {
            message: self.message,
            from_retry: self.from_retry,
            asked: self.asked,
            tried: None,
            since: now,
            verdict: Verdict::Held,
        }
    }
}

impl Ended {
    /// What is recorded. `random` decides within the pause's length.
    pub(crate) fn judge(self, policy: &RetryPolicy, now: Timestamp, random: u64) -> Item {
        let position = self.job.message.position;
        let tried = self.tried(now);
        let since = self.job.since.unwrap_or(now);
        let attempts = self.job.attempts + 1;
        let verdict = match next(&self.sent) {
            None => Verdict::Delivered,
            Some(Next::Never) => Verdict::Dead,
            Some(Next::Gone) => Verdict::Gone,
            Some(next) => {
                let failed = Failed {
                    attempts,
                    since,
                    now,
                    retry_after: match next {
                        Next::RetryAfter(span) => Some(span),
                        _ => None,
                    },
                };
                match schedule::next_try(policy, failed, random) {
                    Some(due) => Verdict::Retry { due },
                    None => Verdict::Dead,
                }
            }
        };
        Item {
            message: self.job.message,
            from_retry: self.job.from_retry,
            asked: self.job.asked,
            tried: Some(Tried {
                position,
                next_at: match verdict {
                    Verdict::Retry { due } => Some(due),
                    _ => None,
                },
                ..tried
            }),
            since,
            verdict,
        }
    }

    /// The attempt alone, without what comes of it.
    pub(crate) fn tried(&self, now: Timestamp) -> Tried {
        let (delivered, status, detail) = match &self.sent {
            Sent::Delivered { status, detail } => (true, *status, detail.clone()),
            Sent::Failed(Failure { status, detail, .. }) => (false, *status, Some(detail.clone())),
            Sent::Unreachable(why) => (false, None, Some(why.clone())),
        };
        Tried {
            position: self.job.message.position,
            attempt: self.job.attempts + 1,
            at: self.at.min(now),
            took_us: i64::try_from(self.took.as_micros())
                .unwrap_or(i64::MAX)
                .min(u32::MAX.into()),
            delivered,
            status,
            detail: detail.map(|detail| detail.chars().take(MAX_DETAIL_CHARS).collect()),
            next_at: None,
        }
    }

    /// The word for it in metrics.
    pub(crate) const fn result(&self) -> &'static str {
        match &self.sent {
            Sent::Delivered { .. } => "delivered",
            Sent::Failed(_) => "failed",
            Sent::Unreachable(_) => "unreachable",
        }
    }
}

const fn next(sent: &Sent) -> Option<Next> {
    match sent {
        Sent::Delivered { .. } => None,
        Sent::Failed(failure) => Some(failure.next),
        Sent::Unreachable(_) => Some(Next::Retry),
    }
}
