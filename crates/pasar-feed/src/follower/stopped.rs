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
    #[error("the feed began a new epoch while it was read")]
    NewEpoch,
    #[error("another reader moved the position")]
    Fenced,
}

impl Stopped {
    /// A publisher that does not answer is told of by whoever listens to it; it is no reason not to be ready.
    pub(super) fn tell(&self, follower: Service, publisher: Service, alarm: &Alarm) {
        let diverged = matches!(self, Self::Diverged { .. });
        metrics::gauge!(
            "pasar_follower_diverged",
            "follower" => follower.as_str(), "publisher" => publisher.as_str()
        )
        .set(if diverged { 1.0 } else { 0.0 });
        if diverged {
            alarm.raise(self.to_string());
        }
        match self {
            Self::Fault(Fault::Unreachable(_)) | Self::NewEpoch => {
                tracing::debug!(
                    %follower, %publisher, error = self as &dyn std::error::Error,
                    "follower waits"
                );
            }
            Self::Fault(_) | Self::Diverged { .. } | Self::Fenced => tracing::error!(
                %follower, %publisher, error = self as &dyn std::error::Error,
                "follower stopped, it tries again"
            ),
        }
    }
}
