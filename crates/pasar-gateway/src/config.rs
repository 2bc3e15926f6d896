//! What the gateway can be told, with its defaults. Every limit of the edge has its name here.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Serve HTTPS with these files. Without, plain HTTP: for a laptop, or behind a proxy that has the certificate.
    pub tls: Option<Tls>,
    /// Networks of proxies in front: only their `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call the API with a token (CORS); `"*"` for all. Cookies are never allowed across origins.
    pub cors_origins: Vec<String>,
    /// Origins, besides the gateway's own, whose pages may use the session cookie.
    pub cookie_origins: Vec<String>,
    /// Who sees `/metrics` and the details of `/readyz`.
    pub details_for: DetailsFor,
    /// Compress answers (gzip) for clients that ask for it. Streams never are.
    pub compression: bool,
    /// Write every n-th request to the log at level info; 0 for none. All are there at level debug.
    pub access_log_every: u32,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub credentials: Credentials,
    pub rate_limits: RateLimits,
    pub upstreams: Upstreams,
}

/// PEM files. They are read again on SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Who may see what tells more than "up" or "down".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailsFor {
    /// Callers on this machine, and admins.
    LoopbackOrAdmin,
    /// Admins only.
    Admin,
    /// Everybody: when the network in front keeps others out.
    Anyone,
}

/// Sizes and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections; more wait in the listen queue.
    pub connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_per_connection: u32,
    pub uri_bytes: usize,
    /// All header names and values of a request together.
    pub header_bytes: usize,
    pub headers: usize,
    pub body_bytes: u64,
    /// Clients whose rate is remembered; beyond, those closest to their full quota are forgotten.
    pub tracked_clients: usize,
    /// Credentials that are remembered as verified.
    pub cached_credentials: u64,
}

/// Waits. None of them ends an open stream that moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last; also the TLS handshake.
    pub head_ms: u64,
    /// From the head to the last byte of the request's body.
    pub body_ms: u64,
    /// From the whole head to the head of the answer. Longer than `Prefer: wait` may ask for.
    pub request_ms: u64,
    /// How long a client may take nothing of an answer that waits for it.
    pub write_ms: u64,
    /// How long a connection may lie idle between requests.
    pub idle_ms: u64,
}

/// How long what was verified is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// An API key that is valid; its revocation is heard of at once where the users feed can be followed.
    pub api_key_ms: u64,
    /// An API key that is not.
    pub refused_api_key_ms: u64,
    /// The signing keys are read again this often: a removed key is refused by then.
    pub signing_keys_ms: u64,
    /// An unknown key id makes the gateway read the signing keys at most this often.
    pub unknown_key_ms: u64,
    /// Clocks may differ by this much.
    pub leeway_ms: u64,
}

/// How services in other processes are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstreams {
    /// How long connecting to an instance may take.
    pub connect_ms: u64,
    /// An idle connection is kept for this long: less than the 30 s after which a service closes it.
    pub idle_ms: u64,
    /// Idle connections to one instance that each thread keeps.
    pub idle_connections: usize,
    /// Between two looks at an instance's `/readyz`, and how long its answer may take.
    pub health_ms: u64,
    pub health_timeout_ms: u64,
    /// After so many requests in a row that failed, an instance gets no more until it is found well again.
    pub failures_in_a_row: u32,
    /// Requests that may be sent again, of a hundred. 0: none.
    pub retry_percent: u8,
}

/// Requests a client may make. See [`Quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Per address, for requests without (valid) credentials.
    pub anonymous: Quota,
    /// Per user or API key. A key may carry its own, or none.
    pub authenticated: Quota,
    /// Per address, for logging in and registering, besides the above.
    pub login: Quota,
}

/// So many requests in so many seconds: all at once or evenly. 0 requests: not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub requests: u32,
    pub per_s: u32,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidConfig {
    #[error("{0} must not be zero")]
    Zero(&'static str),
    #[error(
        "timeouts.request_ms must be above {MAX_PREFER_WAIT_MS}, the longest wait a request may ask for"
    )]
    RequestTimeoutTooShort,
    #[error("expected an origin like https://shop.example, got {0:?}")]
    Origin(String),
}

/// `Prefer: wait` is at most this.
pub(crate) const MAX_PREFER_WAIT_MS: u64 = 60_000;

impl Config {
    /// What no type can say.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let positive = [
            ("limits.connections", self.limits.connections as u64),
            (
                "limits.streams_per_connection",
                u64::from(self.limits.streams_per_connection),
            ),
            ("limits.uri_bytes", self.limits.uri_bytes as u64),
            ("limits.header_bytes", self.limits.header_bytes as u64),
            ("limits.headers", self.limits.headers as u64),
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.tracked_clients", self.limits.tracked_clients as u64),
            ("limits.cached_credentials", self.limits.cached_credentials),
            ("timeouts.head_ms", self.timeouts.head_ms),
            ("timeouts.body_ms", self.timeouts.body_ms),
            ("timeouts.write_ms", self.timeouts.write_ms),
            ("timeouts.idle_ms", self.timeouts.idle_ms),
            (
                "credentials.signing_keys_ms",
                self.credentials.signing_keys_ms,
            ),
            ("upstreams.connect_ms", self.upstreams.connect_ms),
            ("upstreams.health_ms", self.upstreams.health_ms),
            (
                "upstreams.failures_in_a_row",
                self.upstreams.failures_in_a_row.into(),
            ),
            (
                "rate_limits.anonymous.per_s",
                u64::from(self.rate_limits.anonymous.per_s),
            ),
            (
                "rate_limits.authenticated.per_s",
                u64::from(self.rate_limits.authenticated.per_s),
            ),
            (
                "rate_limits.login.per_s",
                u64::from(self.rate_limits.login.per_s),
            ),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(InvalidConfig::Zero(name));
        }
        if self.timeouts.request_ms <= MAX_PREFER_WAIT_MS {
            return Err(InvalidConfig::RequestTimeoutTooShort);
        }
        let origins = self.cors_origins.iter().chain(&self.cookie_origins);
        match origins.into_iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(InvalidConfig::Origin(origin.clone())),
            None => Ok(()),
        }
    }
}

fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    text == "*" || rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ']))
}

pub(crate) const fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            cookie_origins: Vec::new(),
            details_for: DetailsFor::LoopbackOrAdmin,
            compression: true,
            access_log_every: 0,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            credentials: Credentials::default(),
            rate_limits: RateLimits::default(),
            upstreams: Upstreams::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            streams_per_connection: 64,
            uri_bytes: 8 * 1024,
            header_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 4 * 1024 * 1024,
            tracked_clients: 100_000,
            cached_credentials: 50_000,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head_ms: 10_000,
            body_ms: 30_000,
            request_ms: 75_000,
            write_ms: 30_000,
            idle_ms: 75_000,
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            api_key_ms: 10_000,
            refused_api_key_ms: 2_000,
            signing_keys_ms: 10_000,
            unknown_key_ms: 5_000,
            leeway_ms: 5_000,
        }
    }
}

impl Default for Upstreams {
    fn default() -> Self {
        Self {
            connect_ms: 1_000,
            idle_ms: 20_000,
            idle_connections: 64,
            health_ms: 250,
            health_timeout_ms: 1_000,
            failures_in_a_row: 3,
            retry_percent: 10,
        }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            anonymous: Quota {
                requests: 600,
                per_s: 60,
            },
            authenticated: Quota {
                requests: 3_000,
                per_s: 60,
            },
            login: Quota {
                requests: 60,
                per_s: 60,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn a_request_timeout_below_the_longest_wait_is_refused() {
        let mut config = Config::default();
        config.timeouts.request_ms = MAX_PREFER_WAIT_MS;
        assert_eq!(
            config.validate(),
            Err(InvalidConfig::RequestTimeoutTooShort)
        );
    }

    #[test]
    fn an_origin_with_a_path_is_refused() {
        let config = Config {
            cors_origins: vec!["https://shop.example/".into()],
            ..Config::default()
        };
        assert_eq!(
            config.validate(),
            Err(InvalidConfig::Origin("https://shop.example/".into()))
        );
    }

    #[test]
    fn a_limit_of_zero_is_refused_by_its_name() {
        let mut config = Config::default();
        config.limits.headers = 0;
        assert_eq!(
            config.validate(),
            Err(InvalidConfig::Zero("limits.headers"))
        );
    }
}
