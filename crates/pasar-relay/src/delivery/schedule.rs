//! When a failed delivery is tried again. Pure rules.

use std::time::Duration;

use pasar_contracts::api::relay::RetryPolicy;
use pasar_types::time::Timestamp;

/// What is known after a failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    /// Attempts so far, this one included.
    pub(crate) attempts: u32,
    /// When the first one failed.
    pub(crate) since: Timestamp,
    pub(crate) now: Timestamp,
    /// What the destination asked for.
    pub(crate) retry_after: Option<Duration>,
}

/// The longest that a destination may ask to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// `None` once the policy has ended. Pauses double and are drawn between zero and their length (full jitter:
/// Brooker, "Exponential Backoff And Jitter", AWS 2015). The last try is made when the time is over.
pub(crate) fn next_try(policy: &RetryPolicy, failed: Failed, random: u64) -> Option<Timestamp> {
    let ends = failed.since + Duration::from_secs(policy.within_s.into());
    if failed.attempts >= policy.attempts || failed.now >= ends {
        return None;
    }
    let doublings = failed.attempts.saturating_sub(1).min(31);
    let ceiling_s = (u64::from(policy.first_s) << doublings).min(policy.most_s.into());
    let pause = Duration::from_micros(random % (ceiling_s * 1_000_000 + 1));
    let due = (failed.now + pause).min(ends);
    let asked = failed
        .retry_after
        .map(|span| failed.now + span.min(LONGEST_RETRY_AFTER));
    Some(asked.map_or(due, |asked| due.max(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn failed(attempts: u32) -> Failed {
        Failed {
            attempts,
            since: NOW,
            now: NOW,
            retry_after: None,
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_drawn_from_zero_on() {
        let policy = RetryPolicy::default();
        for (attempts, ceiling_s) in [
            (1, 5),
            (2, 10),
            (3, 20),
            (13, 20_480),
            (14, 21_600),
            (23, 21_600),
        ] {
            let due = |random| {
                next_try(&policy, failed(attempts), random)
                    .unwrap()
                    .since(NOW)
            };
            assert_eq!(due(0), Duration::ZERO);
            assert_eq!(
                due(ceiling_s * 1_000_000),
                Duration::from_secs(ceiling_s),
                "attempt {attempts}"
            );
            assert!(
                (0..1_000)
                    .all(|random| due(random * 0x9e37_79b9) <= Duration::from_secs(ceiling_s))
            );
        }
    }

    #[test]
    fn the_policy_ends_by_count_and_by_time() {
        let policy = RetryPolicy::default();
        assert_eq!(next_try(&policy, failed(24), 0), None);
        let mut late = failed(2);
        late.now = NOW + Duration::from_secs(u64::from(policy.within_s) - 1);
        assert_eq!(
            next_try(&policy, late, 9_000_000),
            Some(NOW + Duration::from_secs(policy.within_s.into()))
        );
        late.now = NOW + Duration::from_secs(policy.within_s.into());
        assert_eq!(next_try(&policy, late, 0), None);
    }

    #[test]
    fn what_the_destination_asks_for_is_the_least_up_to_a_day() {
        let policy = RetryPolicy::default();
        let mut asked = failed(1);
        asked.retry_after = Some(Duration::from_secs(120));
        let due = next_try(&policy, asked, 1_000_000).unwrap();
        assert_eq!(due.since(NOW), Duration::from_secs(120));
        asked.retry_after = Some(Duration::from_secs(1_000_000));
        let due = next_try(&policy, asked, 0).unwrap();
        assert_eq!(due.since(NOW), LONGEST_RETRY_AFTER);
    }
}
