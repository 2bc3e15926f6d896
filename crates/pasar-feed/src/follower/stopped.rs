//! Why following stopped, and who is told.

use pasar_contracts::event::Service;
use pasar_store::fault::Fault;

use crate::tasks::Alarm;

#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("failed to read the feed or to take from it")]
    Fault(#[from] Fault),
    /// What was followed and what the feed holds now may differ: nobody but a person can say what holds.
    #[error(
        "feed-diverged: {publisher} was restored to an earlier state than {follower} has followed; stop \
         {follower} and run `pasar reconcile {follower} {publisher}`"
    )]
    Diverged {
        follower: Service,
        publisher: Service,
    },
    /// Its events from here on would be taken for such as were taken before.
    #[error(
        "feed-diverged: {publisher}'s feed ends at {head}, and {follower} has followed it up to {reached}: its database was \
         put back to an earlier state without a mark; end all of {publisher} and run `pasar restore --mark --only {publisher}`"
    )]
    PutBack {
        follower: Service,
        publisher: Service,
        head: i64,
        reached: i64,
    },
    /// What is missing was told while nobody followed. A snapshot has what still counts of it, but not what ended.
    #[error(
        "feed-trimmed: {publisher} keeps its feed from {trimmed} on, and {follower} has followed it up to {reached}: \
         it was away for too long; stop {follower} and run `pasar reconcile {follower} {publisher}`"
    )]
    Trimmed {
        follower: Service,
        publisher: Service,
        reached: i64,
        trimmed: i64,
    },
    #[error("the feed began a new epoch while it was read")]
    NewEpoch,
    #[error("another reader moved the position")]
    Fenced,
}

impl Stopped {
    /// A publisher that does not answer is told of by whoever listens to it; it is no reason not to be ready.
    pub(super) fn tell(&self, follower: Service, publisher: Service, alarm: &Alarm) {
        let (diverged, trimmed) = match self {
            Self::Diverged { .. } | Self::PutBack { .. } => (1.0, 0.0),
            Self::Trimmed { .. } => (0.0, 1.0),
            _ => (0.0, 0.0),
        };
        for (gauge, value) in [
            ("pasar_follower_diverged", diverged),
            ("pasar_follower_trimmed", trimmed),
        ] {
            metrics::gauge!(gauge, "follower" => follower.as_str(), "publisher" => publisher.as_str())
                .set(value);
        }
        if diverged + trimmed > 0.0 {
            alarm.raise(self.to_string());
        }
        match self {
            Self::Fault(Fault::Unreachable(_) | Fault::Trimmed { .. }) | Self::NewEpoch => {
                tracing::debug!(
                    %follower, %publisher, error = self as &dyn std::error::Error,
                    "follower waits"
                );
            }
            Self::Fault(_)
            | Self::Diverged { .. }
            | Self::PutBack { .. }
            | Self::Trimmed { .. }
            | Self::Fenced => {
                tracing::error!(
                    %follower, %publisher, error = self as &dyn std::error::Error,
                    "follower stopped, it tries again"
                );
            }
        }
    }
}
