//! Slows down the guessing of passwords, by account and by source, without locking anybody out.
//!
//! Three counts: guesses at one account from one source, from one source at all, and at one account at
//! all. Where the owner has logged in before, only the first counts: strangers cannot shut them out. The
//! counts live in memory and are bounded; a restart forgets them.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use pasar_store::clock::Clock;
use sha2::{Digest, Sha256};

/// An attempt to log in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Of the account that was named, whether there is one or not.
    pub(crate) account: [u8; 32],
    pub(crate) source: [u8; 32],
    /// The owner of the account has logged in from there before.
    pub(crate) known_source: bool,
}

#[derive(Clone)]
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    counts: Cache<Key, Count>,
}

/// An attempt that may go on. It counts as failed unless it is said to have succeeded.
#[must_use = "an attempt that succeeds has to be taken off the counts"]
pub(crate) struct Admitted<'t> {
    throttle: &'t Throttle,
    attempt: Attempt,
}

/// Must wait for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled(pub(crate) Duration);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Pair,
    Source,
    Account,
}

type Key = (Kind, [u8; 32]);

#[derive(Clone, Copy, Debug)]
struct Count {
    attempts: u32,
    last: Duration,
}

/// Attempts that go on without a wait, then the longest wait. It doubles from one second on.
struct Limit {
    free: u32,
    longest: Duration,
}

/// A count that nothing was added to for so long begins anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
/// Counts that are kept at most; the least used go first.
const MOST_COUNTS: u64 = 100_000;

impl Kind {
    const fn limit(self) -> Limit {
        match self {
            Self::Pair => Limit {
                free: 10,
                longest: Duration::from_secs(60),
            },
            Self::Source => Limit {
                free: 100,
                longest: Duration::from_secs(60),
            },
            Self::Account => Limit {
                free: 100,
                longest: Duration::from_secs(10),
            },
        }
    }
}

impl Attempt {
    fn counts(&self) -> impl Iterator<Item = Key> + use<> {
        let pair = Sha256::new()
            .chain_update(self.account)
            .chain_update(self.source)
            .finalize();
        let by_stranger = !self.known_source;
        [
            (true, Kind::Pair, pair.into()),
            (by_stranger, Kind::Source, self.source),
            (by_stranger, Kind::Account, self.account),
        ]
        .into_iter()
        .filter(|(applies, ..)| *applies)
        .map(|(_, kind, key)| (kind, key))
    }
}

/// What an account is counted under.
pub(crate) fn account(name: &str) -> [u8; 32] {
    Sha256::digest(name).into()
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let counts = Cache::builder()
            .max_capacity(MOST_COUNTS)
            .time_to_idle(FORGOTTEN_AFTER)
            .build();
        Self { clock, counts }
    }

    /// Counts the attempt before its password is looked at, so that guesses at the same time count too.
    pub(crate) fn admit(&self, attempt: Attempt) -> Result<Admitted<'_>, Throttled> {
        let now = self.clock.monotonic();
        let wait = attempt.counts().filter_map(|key| self.wait(key, now)).max();
        if let Some(wait) = wait {
            metrics::counter!("pasar_users_logins_total", "outcome" => "throttled").increment(1);
            return Err(Throttled(wait));
        }
        for key in attempt.counts() {
            self.add(key, now);
        }
        Ok(Admitted {
            throttle: self,
            attempt,
        })
    }

    fn wait(&self, key: Key, now: Duration) -> Option<Duration> {
        let count = self.counts.get(&key)?;
        let limit = key.0.limit();
        let over = count.attempts.checked_sub(limit.free)?;
        let wait = Duration::from_secs(1 << over.min(16)).min(limit.longest);
        let passed = now.saturating_sub(count.last);
        (passed < wait && passed < FORGOTTEN_AFTER).then(|| wait - passed)
    }

    fn add(&self, key: Key, now: Duration) {
        self.counts.entry(key).and_upsert_with(|entry| {
            let before = entry.map_or(0, |entry| {
                let count = entry.into_value();
                if now.saturating_sub(count.last) < FORGOTTEN_AFTER {
                    count.attempts
                } else {
                    0
                }
            });
            Count {
                attempts: before.saturating_add(1),
                last: now,
            }
        });
    }

    fn take_back(&self, key: Key) {
        if key.0 == Kind::Pair {
            self.counts.invalidate(&key);
            return;
        }
        self.counts
            .entry(key)
            .and_compute_with(|entry| match entry.map(moka::Entry::into_value) {
                Some(count) if count.attempts > 1 => moka::ops::compute::Op::Put(Count {
                    attempts: count.attempts - 1,
                    ..count
                }),
                Some(_) => moka::ops::compute::Op::Remove,
                None => moka::ops::compute::Op::Nop,
            });
    }
}

impl Admitted<'_> {
    /// The password was right, or was never looked at.
    pub(crate) fn take_back(self) {
        for key in self.attempt.counts() {
            self.throttle.take_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use pasar_store::clock::ManualClock;

    use super::*;

    struct World {
        clock: Arc<ManualClock>,
        throttle: Throttle,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::default());
            let throttle = Throttle::new(Arc::<ManualClock>::clone(&clock));
            Self { clock, throttle }
        }

        fn fail(&self, account: &str, source: u8, known_source: bool) -> Result<(), Duration> {
            let attempt = attempt(account, source, known_source);
            self.throttle
                .admit(attempt)
                .map(drop)
                .map_err(|Throttled(wait)| wait)
        }

        /// How many in a row go on.
        fn guesses(&self, account: &str, source: u8) -> usize {
            (0..1_000)
                .take_while(|_| self.fail(account, source, false).is_ok())
                .count()
        }
    }

    fn attempt(name: &str, source: u8, known_source: bool) -> Attempt {
        Attempt {
            account: account(name),
            source: [source; 32],
            known_source,
        }
    }

    #[test]
    fn guesses_at_one_account_are_slowed_down_more_and_more() {
        let world = World::new();
        assert_eq!(world.guesses("sari", 1), 10);
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(wait);
            assert_eq!(world.fail("sari", 1, false), Err(wait));
            world.clock.advance(wait);
            assert_eq!(world.fail("sari", 1, false), Ok(()));
        }
        world.clock.advance(FORGOTTEN_AFTER);
        assert_eq!(world.guesses("sari", 1), 10);
    }

    #[test]
    fn a_source_that_tries_many_accounts_is_slowed_down() {
        let world = World::new();
        let tried = (0..1_000)
            .take_while(|n| world.fail(&n.to_string(), 1, false).is_ok())
            .count();
        assert_eq!(tried, 100);
        assert!(world.fail("1000", 2, false).is_ok());
    }

    #[test]
    fn an_account_that_many_sources_try_stays_open_to_its_owner() {
        let world = World::new();
        let tried = (0..=255)
            .take_while(|source| world.fail("sari", *source, false).is_ok())
            .count();
        assert_eq!(tried, 100);
        assert!(world.fail("sari", 200, false).is_err(), "strangers wait");
        assert_eq!(
            world.fail("sari", 200, true),
            Ok(()),
            "the owner's own source does not"
        );
    }

    #[test]
    fn a_stranger_behind_the_owners_address_delays_them_by_a_minute_at_most() {
        let world = World::new();
        for _ in 0..100 {
            let _ = world.fail("sari", 1, true);
            world.clock.advance(Duration::from_secs(30));
        }
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.fail("sari", 1, true), Ok(()));
    }

    #[test]
    fn who_logs_in_is_not_counted() {
        let world = World::new();
        for _ in 0..500 {
            world
                .throttle
                .admit(attempt("sari", 1, false))
                .unwrap()
                .take_back();
        }
        assert_eq!(world.guesses("sari", 1), 10);
    }
}
