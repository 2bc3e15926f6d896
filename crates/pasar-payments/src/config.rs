//! The service's configuration. The commented defaults stand in the binary's `config.default.toml`.

use std::{collections::BTreeMap, fmt, time::Duration};

use pasar_chassis::signature::Secret;
use serde::{Deserialize, Serialize};

use crate::payment::CASH;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Calls to providers that may be in flight at once.
    pub max_in_flight: usize,
    /// How long a provider keeps an idempotency key. Once it is over nothing is created again: the
    /// payment is only looked up.
    pub key_lifetime_s: u64,
    pub retry: RetryConfig,
    pub cash: CashConfig,
    pub sandbox: SandboxConfig,
    /// The merchant's own URLs, by the name that an order gives as its payment method.
    pub http: BTreeMap<String, HttpConfig>,
}

/// Pauses between tries of an operation whose result is unknown: they double from first to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    pub first_ms: u64,
    pub most_ms: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CashConfig {
    pub enabled: bool,
}

/// The provider that plays one. It takes no real money.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxConfig {
    pub enabled: bool,
    /// What each of its answers takes.
    pub delay_ms: u64,
    /// What `tok_slow` takes on top.
    pub slow_ms: u64,
    /// How long the customer of `tok_action` and `tok_qr` has.
    pub action_lifetime_s: u64,
}

/// A merchant's own URL (`docs/http-provider.md`).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub url: String,
    /// `whsec_` and 24 to 64 bytes in Base64. The first signs our calls; each of them verifies the
    /// provider's notices, so that a secret can be rotated.
    pub secrets: Vec<Secret>,
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Calls to it that may be in flight at once.
    #[serde(default = "default_http_in_flight")]
    pub max_in_flight: usize,
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    #[error("payments.http.{name}: a method's name is 1 to 32 of a-z, 0-9, '-' and '_'")]
    Name { name: String },
    #[error(
        "payments.http.{name}: the name is taken by a built-in method; disable that one or choose another name"
    )]
    Taken { name: String },
    #[error("payments.http.{name}.url: expected an http or https address without credentials")]
    Url { name: String },
    #[error("payments.http.{name}.secrets: expected at least one secret")]
    NoSecret { name: String },
    #[error("payments.{field}: expected at least {least}")]
    TooSmall { field: &'static str, least: u64 },
}

/// The method that the in-process sandbox goes by.
pub const SANDBOX: &str = "sandbox";

const fn default_timeout_ms() -> u64 {
    10_000
}

const fn default_http_in_flight() -> usize {
    256
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_in_flight: 4_096,
            key_lifetime_s: 24 * 60 * 60,
            retry: RetryConfig::default(),
            cash: CashConfig::default(),
            sandbox: SandboxConfig::default(),
            http: BTreeMap::new(),
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            first_ms: 500,
            most_ms: 5 * 60 * 1000,
        }
    }
}

impl Default for CashConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            delay_ms: 0,
            slow_ms: 2_000,
            action_lifetime_s: 10 * 60,
        }
    }
}

impl Config {
    /// Judges what the types alone do not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        least("max_in_flight", self.max_in_flight as u64, 1)?;
        least("key_lifetime_s", self.key_lifetime_s, 60)?;
        least("retry.first_ms", self.retry.first_ms, 1)?;
        least("retry.most_ms", self.retry.most_ms, self.retry.first_ms)?;
        least(
            "sandbox.action_lifetime_s",
            self.sandbox.action_lifetime_s,
            1,
        )?;
        self.http
            .iter()
            .try_for_each(|(name, http)| self.check_http(name, http))
    }

    #[must_use]
    pub const fn key_lifetime(&self) -> Duration {
        Duration::from_secs(self.key_lifetime_s)
    }

    fn check_http(&self, name: &str, http: &HttpConfig) -> Result<(), InvalidConfig> {
        let name = || name.to_owned();
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        };
        let text = name();
        if !(1..=32).contains(&text.len()) || !text.bytes().all(plain) {
            return Err(InvalidConfig::Name { name: name() });
        }
        if text == CASH || (text == SANDBOX && self.sandbox.enabled) {
            return Err(InvalidConfig::Taken { name: name() });
        }
        let url = reqwest::Url::parse(&http.url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if url.is_none() {
            return Err(InvalidConfig::Url { name: name() });
        }
        if http.secrets.is_empty() {
            return Err(InvalidConfig::NoSecret { name: name() });
        }
        least("http.timeout_ms", http.timeout_ms, 1)?;
        least("http.max_in_flight", http.max_in_flight as u64, 1)
    }
}

fn least(field: &'static str, value: u64, least: u64) -> Result<(), InvalidConfig> {
    if value < least {
        Err(InvalidConfig::TooSmall { field, least })
    } else {
        Ok(())
    }
}

/// A list of names for a log line.
pub(crate) struct Names<'a, I>(pub(crate) &'a I);

impl<'a, I, T> fmt::Display for Names<'a, I>
where
    &'a I: IntoIterator<Item = T>,
    T: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_http(name: &str, url: &str, secrets: Vec<Secret>) -> Config {
        let http = HttpConfig {
            url: url.to_owned(),
            secrets,
            timeout_ms: 1,
            max_in_flight: 1,
        };
        Config {
            http: BTreeMap::from([(name.to_owned(), http)]),
            ..Config::default()
        }
    }

    fn secret() -> Secret {
        Secret::from_bytes(&[7; 24]).unwrap()
    }

    #[test]
    fn the_defaults_are_usable() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_method_needs_a_plain_name_of_its_own_an_address_and_a_secret() {
        let url = "https://shop.example/pasar";
        let check = |name: &str, url: &str| with_http(name, url, vec![secret()]).check();
        assert_eq!(check("mine", url), Ok(()));
        assert!(matches!(check("", url), Err(InvalidConfig::Name { .. })));
        assert!(matches!(check("A b", url), Err(InvalidConfig::Name { .. })));
        assert!(matches!(
            check("cash", url),
            Err(InvalidConfig::Taken { .. })
        ));
        assert!(matches!(
            check("sandbox", url),
            Err(InvalidConfig::Taken { .. })
        ));
        for url in [
            "",
            "shop.example",
            "ftp://shop.example",
            "https://u:p@shop.example",
        ] {
            assert!(
                matches!(check("mine", url), Err(InvalidConfig::Url { .. })),
                "{url}"
            );
        }
        assert!(matches!(
            with_http("mine", url, vec![]).check(),
            Err(InvalidConfig::NoSecret { .. })
        ));
    }

    #[test]
    fn another_provider_may_take_the_sandboxs_name_once_that_is_off() {
        let mut config = with_http("sandbox", "http://127.0.0.1:1", vec![secret()]);
        config.sandbox.enabled = false;
        assert_eq!(config.check(), Ok(()));
    }
}
