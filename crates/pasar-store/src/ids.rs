//! Ids and random bytes, given in: the system's in production, a seed's in tests.

use parking_lot::Mutex;
use pasar_types::time::Timestamp;
use uuid::{Builder, Uuid};

/// Where ids and secrets come from.
pub trait Ids: Send + Sync {
    /// Fills with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);

    /// A new UUIDv7 (RFC 9562) of this time.
    fn uuid_v7(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The operating system's randomness. Ids draw from a small pool, secrets straight from the system.
#[derive(Debug, Default)]
pub struct SystemIds {
    pool: Mutex<Pool>,
}

#[derive(Debug)]
struct Pool {
    bytes: Box<[u8; POOL_BYTES]>,
    used: usize,
}

const POOL_BYTES: usize = 4096;

impl Default for Pool {
    fn default() -> Self {
        Self {
            bytes: Box::new([0; POOL_BYTES]),
            used: POOL_BYTES,
        }
    }
}

impl Ids for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the source that is injected"
        )]
        getrandom::fill(bytes).expect("the operating system always has randomness after boot");
    }

    fn uuid_v7(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        let mut pool = self.pool.lock();
        if pool.used + random.len() > POOL_BYTES {
            self.fill(&mut pool.bytes[..]);
            pool.used = 0;
        }
        let used = pool.used;
        random.copy_from_slice(&pool.bytes[used..used + 10]);
        pool.used += random.len();
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The same ids for the same seed. Guessable: for tests and simulation only.
#[derive(Debug)]
pub struct SeededIds(Mutex<u64>);

impl SeededIds {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Ids for SeededIds {
    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_do_not_repeat_across_the_pools_refills() {
        let ids = SystemIds::default();
        let now = Timestamp::from_micros(1_767_225_600_000_000);
        let all: BTreeSet<Uuid> = (0..5_000).map(|_| ids.uuid_v7(now)).collect();
        assert_eq!(all.len(), 5_000);
        assert!(all.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let now = Timestamp::from_micros(1_767_225_600_000_000);
        let draw = |seed| {
            let ids = SeededIds::new(seed);
            [ids.uuid_v7(now), ids.uuid_v7(now)]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7)[0], draw(7)[1]);
    }
}
