//! The generic cell rate algorithm (ITU-T I.371, appendix I) in shards, one number a client: the time
//! until which its requests so far are paid for.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use parking_lot::Mutex;

use crate::rate_limit::{Client, Policy, Verdict};

/// Bounded: a full shard forgets the clients that owe nothing, which loses nothing, then the one
/// that owes least of a few.
pub(super) struct Buckets {
    shards: Box<[Mutex<HashMap<Client, u64>>]>,
    clients_per_shard: usize,
    hasher: RandomState,
}

const SHARDS: usize = 64;
const EVICTION_SAMPLE: usize = 8;

impl Buckets {
    pub(super) fn new(tracked_clients: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            clients_per_shard: tracked_clients.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
        }
    }

    /// Pays for one request, if the client can.
    pub(super) fn take(&self, client: Client, policy: &Policy, now: Duration) -> Verdict {
        let now = micros(now);
        let mut shard = self.shard(client).lock();
        let paid_until = shard.get(&client).map_or(now, |until| (*until).max(now));
        let next = paid_until + policy.interval_micros;
        if next > now + policy.window_micros {
            return verdict(paid_until, policy, now);
        }
        if shard.len() >= self.clients_per_shard && !shard.contains_key(&client) {
            make_room(&mut shard, self.clients_per_shard, now);
        }
        shard.insert(client, next);
        drop(shard);
        Verdict {
            wait: None,
            ..verdict(next, policy, now)
        }
    }

    /// What `take` would find, without paying.
    pub(super) fn peek(&self, client: Client, policy: &Policy, now: Duration) -> Verdict {
        let now = micros(now);
        let paid_until = self
            .shard(client)
            .lock()
            .get(&client)
            .map_or(now, |until| (*until).max(now));
        verdict(paid_until, policy, now)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits of a hash are as good as any"
    )]
    fn shard(&self, client: Client) -> &Mutex<HashMap<Client, u64>> {
        &self.shards[self.hasher.hash_one(client) as usize % SHARDS]
    }

    #[cfg(test)]
    fn clients(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

fn verdict(paid_until: u64, policy: &Policy, now: u64) -> Verdict {
    let owed = paid_until - now;
    let free = policy.window_micros.saturating_sub(owed);
    let missing = policy.interval_micros.saturating_sub(free);
    Verdict {
        wait: (missing > 0).then(|| Duration::from_micros(missing)),
        remaining: free / policy.interval_micros,
        reset: Duration::from_micros(owed),
    }
}

fn make_room(shard: &mut HashMap<Client, u64>, most: usize, now: u64) {
    shard.retain(|_, paid_until| *paid_until > now);
    if shard.len() < most {
        return;
    }
    let sample = shard.iter().take(EVICTION_SAMPLE);
    if let Some((client, _)) = sample.min_by_key(|(_, paid_until)| **paid_until) {
        let client = *client;
        shard.remove(&client);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Quota;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(requests: u32, per_s: u32) -> Policy {
        Policy::new("test", Quota { requests, per_s }).unwrap()
    }

    fn address(n: u32) -> Client {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&n.to_be_bytes());
        Client::Address(octets)
    }

    #[test]
    fn the_whole_quota_can_be_used_at_once_and_then_grows_back_evenly() {
        let (buckets, policy) = (Buckets::new(10), policy(5, 10));
        let start = 100 * SECOND;
        for left in (0..5).rev() {
            assert_eq!(
                buckets.take(address(1), &policy, start),
                Verdict {
                    wait: None,
                    remaining: left,
                    reset: u32::try_from(5 - left).unwrap() * 2 * SECOND
                }
            );
        }
        let refused = buckets.take(address(1), &policy, start);
        assert_eq!(
            refused,
            Verdict {
                wait: Some(2 * SECOND),
                remaining: 0,
                reset: 10 * SECOND
            }
        );
        assert_eq!(
            buckets.take(address(1), &policy, start + 2 * SECOND).wait,
            None
        );
        assert_eq!(
            buckets.take(address(1), &policy, start + 2 * SECOND).wait,
            Some(2 * SECOND)
        );
    }

    #[test]
    fn refused_requests_cost_nothing() {
        let (buckets, policy) = (Buckets::new(10), policy(1, 1));
        for _ in 0..100 {
            buckets.take(address(1), &policy, SECOND);
        }
        assert_eq!(buckets.take(address(1), &policy, 2 * SECOND).wait, None);
    }

    #[test]
    fn clients_do_not_share() {
        let (buckets, policy) = (Buckets::new(10), policy(1, 1));
        assert_eq!(buckets.take(address(1), &policy, SECOND).wait, None);
        assert_eq!(buckets.take(address(2), &policy, SECOND).wait, None);
        assert!(buckets.take(address(1), &policy, SECOND).wait.is_some());
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_memory() {
        let (buckets, policy) = (Buckets::new(1_000), policy(10, 60));
        for n in 0..50_000 {
            buckets.take(address(n), &policy, SECOND);
        }
        assert!(buckets.clients() <= 1_000 + SHARDS, "{}", buckets.clients());
    }
}
