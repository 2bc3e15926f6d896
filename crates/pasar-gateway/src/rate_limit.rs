//! Rate limits: who is counted, against which quota, and what the answer's fields say about it.
//!
//! Fields as in draft-ietf-httpapi-ratelimit-headers-10.

mod buckets;

use std::{fmt, io::Write as _, net::IpAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use pasar_types::id::{ApiKeyId, UserId};

use crate::{
    config::{Quota, RateLimits},
    http1::fields,
    rate_limit::buckets::Buckets,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Address([u8; 16]),
    User(UserId),
    ApiKey(ApiKeyId),
    /// An address, where passwords are tried.
    Login([u8; 16]),
}

/// A quota made ready: no arithmetic beyond additions for a request.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    name: &'static str,
    /// A request costs this much time.
    interval_micros: u64,
    /// So much time may be spent in advance.
    window_micros: u64,
    field: HeaderValue,
}

/// Counts requests by client. Memory is bounded; there is no lock that all requests take.
pub(crate) struct RateLimiter {
    buckets: Buckets,
    anonymous: Option<Policy>,
    authenticated: Option<Policy>,
    login: Option<Policy>,
}

/// What a bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// For how long to wait if the request is one too many.
    pub(crate) wait: Option<Duration>,
    pub(crate) remaining: u64,
    /// Until the whole quota is there again.
    pub(crate) reset: Duration,
}

/// Which policy a request was counted against, and how that went.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) policy: Policy,
    pub(crate) verdict: Verdict,
}

impl RateLimiter {
    pub(crate) fn new(config: &RateLimits, tracked_clients: usize) -> Self {
        Self {
            buckets: Buckets::new(tracked_clients),
            anonymous: Policy::new("anonymous", config.anonymous),
            authenticated: Policy::new("client", config.authenticated),
            login: Policy::new("login", config.login),
        }
    }

    /// Counts a request of somebody unknown. `None` if such requests are not limited.
    pub(crate) fn count_address(&self, address: IpAddr, now: Duration) -> Option<Counted> {
        self.count(
            Client::Address(prefix(address)),
            self.anonymous.as_ref()?,
            now,
        )
    }

    /// Counts a try of a password, or a registration.
    pub(crate) fn count_login(&self, address: IpAddr, now: Duration) -> Option<Counted> {
        self.count(Client::Login(prefix(address)), self.login.as_ref()?, now)
    }

    /// Counts a request of a user or key, against its own policy if it carries one.
    pub(crate) fn count_client(
        &self,
        client: Client,
        own: Option<&Policy>,
        now: Duration,
    ) -> Option<Counted> {
        self.count(client, own.or(self.authenticated.as_ref())?, now)
    }

    /// Whether this address has used up its quota for unknown callers. Counts nothing.
    pub(crate) fn is_exhausted(&self, address: IpAddr, now: Duration) -> Option<Counted> {
        let policy = self.anonymous.as_ref()?;
        let verdict = self
            .buckets
            .peek(Client::Address(prefix(address)), policy, now);
        verdict.wait.is_some().then(|| Counted {
            policy: policy.clone(),
            verdict,
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "so that the callers' `?` on a missing policy and this read the same"
    )]
    fn count(&self, client: Client, policy: &Policy, now: Duration) -> Option<Counted> {
        let verdict = self.buckets.take(client, policy, now);
        Some(Counted {
            policy: policy.clone(),
            verdict,
        })
    }
}

impl Policy {
    /// `None` for a quota of zero, which means that nothing is limited.
    pub(crate) fn new(name: &'static str, quota: Quota) -> Option<Self> {
        let Quota { requests, per_s } = quota;
        if requests == 0 || per_s == 0 {
            return None;
        }
        let window_micros = u64::from(per_s) * 1_000_000;
        let field = format!("\"{name}\";q={requests};w={per_s}");
        Some(Self {
            name,
            interval_micros: (window_micros / u64::from(requests)).max(1),
            window_micros,
            field: HeaderValue::try_from(field).expect("a name and two numbers are visible ASCII"),
        })
    }
}

impl Counted {
    pub(crate) fn write_fields(&self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy.field.clone());
        if let Ok(field) = HeaderValue::try_from(self.to_string()) {
            headers.insert(RATE_LIMIT, field);
        }
    }

    /// The same as lines.
    pub(crate) fn write_lines(&self, out: &mut Vec<u8>) {
        fields::write(out, "ratelimit-policy", self.policy.field.as_bytes());
        let _ = write!(out, "ratelimit: {self}\r\n");
    }
}

/// As the field `RateLimit` says it.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict {
            remaining, reset, ..
        } = self.verdict;
        let name = self.policy.name;
        write!(f, "\"{name}\";r={remaining};t={}", ceil_seconds(reset))
    }
}

/// Whole seconds, never fewer than the span.
pub(crate) fn ceil_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// An IPv4 address, or the /64 network of an IPv6 one: whoever has one address there has them all.
fn prefix(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(requests: u32, per_s: u32) -> RateLimiter {
        let quota = Quota { requests, per_s };
        let config = RateLimits {
            anonymous: quota,
            authenticated: quota,
            login: quota,
        };
        RateLimiter::new(&config, 1_000)
    }

    #[test]
    fn the_fields_say_quota_window_rest_and_reset() {
        let limiter = limiter(10, 60);
        let address = "192.0.2.7".parse().unwrap();
        let now = Duration::from_secs(1);
        limiter.count_address(address, now);
        let counted = limiter.count_address(address, now).unwrap();
        let mut headers = HeaderMap::new();
        counted.write_fields(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"anonymous\";q=10;w=60");
        assert_eq!(headers["ratelimit"], "\"anonymous\";r=8;t=12");
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket_and_mapped_ipv4_is_ipv4() {
        let prefix_of = |text: &str| prefix(text.parse().unwrap());
        assert_eq!(prefix_of("2001:db8::1"), prefix_of("2001:db8::ffff:1"));
        assert_ne!(prefix_of("2001:db8::1"), prefix_of("2001:db8:0:1::1"));
        assert_eq!(prefix_of("::ffff:192.0.2.7"), prefix_of("192.0.2.7"));
    }

    #[test]
    fn a_quota_of_zero_limits_nothing() {
        let limiter = limiter(0, 60);
        assert!(
            limiter
                .count_address("192.0.2.7".parse().unwrap(), Duration::ZERO)
                .is_none()
        );
    }

    #[test]
    fn looking_at_a_bucket_takes_nothing_from_it() {
        let limiter = limiter(1, 60);
        let address = "192.0.2.7".parse().unwrap();
        assert!(limiter.is_exhausted(address, Duration::ZERO).is_none());
        assert!(limiter.is_exhausted(address, Duration::ZERO).is_none());
        limiter.count_address(address, Duration::ZERO);
        assert!(limiter.is_exhausted(address, Duration::ZERO).is_some());
    }
}
