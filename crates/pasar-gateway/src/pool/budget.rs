//! How often requests may be sent again: a share of all requests, so that retries never become the load that
//! keeps a service down.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// In hundredths of a retry.
pub(super) struct Budget {
    left: AtomicI64,
    per_request: i64,
}

const ONE: i64 = 100;
/// What a quiet time may save up: ten retries.
const MOST: i64 = 10 * ONE;

impl Budget {
    pub(super) fn new(percent: u8) -> Self {
        Self {
            left: AtomicI64::new(if percent == 0 { 0 } else { MOST }),
            per_request: percent.into(),
        }
    }

    /// A request has come.
    pub(super) fn earn(&self) {
        if self.left.load(Relaxed) < MOST {
            self.left.fetch_add(self.per_request, Relaxed);
        }
    }

    /// Whether one more retry may be made.
    pub(super) fn spend(&self) -> bool {
        let spent = self
            .left
            .fetch_update(Relaxed, Relaxed, |left| (left >= ONE).then_some(left - ONE));
        spent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_tenth_of_the_requests_beyond_what_was_saved() {
        let budget = Budget::new(10);
        let saved = (0..1_000).filter(|_| budget.spend()).count();
        assert_eq!(saved, 10);
        let mut retried = 0;
        for _ in 0..1_000 {
            budget.earn();
            retried += usize::from(budget.spend());
        }
        assert_eq!(retried, 100);
    }

    #[test]
    fn no_percent_means_no_retry() {
        let budget = Budget::new(0);
        budget.earn();
        assert!(!budget.spend());
    }
}
