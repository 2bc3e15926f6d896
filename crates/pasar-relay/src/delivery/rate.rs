//! How often a subscription may deliver: a bucket of tokens that fills with time.

use std::time::Duration;

/// Kept as the time at which the bucket will be full (GCRA, ITU-T I.371).
pub(crate) struct Rate {
    /// Between two deliveries.
    interval: Duration,
    /// What may be sent at once after a pause, as time.
    burst: Duration,
    full_at: Duration,
}

/// The part of a second whose deliveries may come at once.
const BURST: Duration = Duration::from_millis(100);

impl Rate {
    pub(crate) fn new(per_s: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_s.max(1),
            burst: BURST,
            full_at: Duration::ZERO,
        }
    }

    /// Takes a token; or says how long to wait for one. `now` never steps backwards.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.max(now);
        let ahead = full_at - now;
        if ahead > self.burst.saturating_sub(self.interval) {
            return Err((ahead + self.interval).saturating_sub(self.burst.max(self.interval)));
        }
        self.full_at = full_at + self.interval;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_any_second_no_more_are_sent_than_the_rate_and_one_burst() {
        for per_s in [1, 3, 10, 100, 7_919] {
            let mut rate = Rate::new(per_s);
            let (mut now, mut sent) = (Duration::from_secs(5), 0);
            let end = now + Duration::from_secs(10);
            while now < end {
                match rate.take(now) {
                    Ok(()) => sent += 1,
                    Err(wait) => {
                        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1));
                        now += wait;
                    }
                }
            }
            let most = u64::from(per_s) * 10 + u64::from(per_s).div_ceil(10) + 1;
            let least = u64::from(per_s) * 10 - 1;
            assert!((least..=most).contains(&sent), "{per_s}/s: {sent}");
        }
    }
}
