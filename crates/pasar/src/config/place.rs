//! Where a service is that runs in a process of its own.

use std::{fmt, net::SocketAddr};

use anyhow::ensure;
use pasar_contracts::api::OWN_PREFIXES;
use serde::{Deserialize, Deserializer, de};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Place {
    /// Its instances, without a slash at the end.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) urls: Vec<String>,
    /// Where it listens when this process runs it.
    pub(crate) bind: Option<SocketAddr>,
    /// What it answers, for a service that is not Pasar's.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) prefixes: Vec<String>,
    /// What the gateway signs identities with for a service that is not Pasar's.
    pub(crate) secret: Option<IdentitySecret>,
}

/// Never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct IdentitySecret(pub(crate) String);

const LEAST_SECRET_BYTES: usize = 24;
/// Of paths of a service that is not ours, as the gateway looks them up.
const VERSION_PREFIX: &str = "/v1/";

impl Place {
    pub(super) fn check_ours(&self, name: &str) -> anyhow::Result<()> {
        ensure!(
            !self.urls.is_empty(),
            "services.{name}.urls: expected where its instances are, such as [\"http://127.0.0.1:9103\"]"
        );
        ensure!(
            self.prefixes.is_empty() && self.secret.is_none(),
            "services.{name}: prefixes and secret are for services that are not Pasar's; {name} says itself what \
             it answers"
        );
        self.check_urls(name)
    }

    pub(super) fn check_foreign(&self, name: &str) -> anyhow::Result<()> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ensure!(
            !name.is_empty() && name.bytes().all(is_word),
            "services.{name}: expected a name of a-z, 0-9 and -"
        );
        ensure!(
            !self.urls.is_empty() && !self.prefixes.is_empty(),
            "services.{name}: a service that is not Pasar's needs urls = [\"http://..\"] and prefixes = \
             [\"/v1/{name}\"]"
        );
        for prefix in &self.prefixes {
            let rest = prefix.strip_prefix(VERSION_PREFIX).unwrap_or_default();
            ensure!(
                !rest.is_empty() && !rest.contains(['/', '?', '#', '%', ' ']),
                "services.{name}.prefixes: expected a path of two segments such as /v1/{name}, got {prefix:?}"
            );
            ensure!(
                !OWN_PREFIXES.contains(&prefix.as_str()),
                "services.{name}.prefixes: {prefix} is Pasar's own; choose another, such as /v1/{name}"
            );
        }
        ensure!(
            self.secret
                .as_ref()
                .is_none_or(|secret| secret.0.len() >= LEAST_SECRET_BYTES),
            "services.{name}.secret: expected {LEAST_SECRET_BYTES} characters at least"
        );
        self.check_urls(name)
    }

    fn check_urls(&self, name: &str) -> anyhow::Result<()> {
        for url in &self.urls {
            let rest = url.strip_prefix("http://").unwrap_or_default();
            ensure!(
                !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']),
                "services.{name}.urls: expected http://host:port, got {url:?}"
            );
        }
        Ok(())
    }
}

impl fmt::Debug for IdentitySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitySecret(..)")
    }
}

/// A list, or a text with commas, which is easier to write into an environment variable.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;

    impl<'de> de::Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of texts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            let parts = text.split(',').map(str::trim);
            Ok(parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect())
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(toml: &str) -> Place {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn urls_come_as_a_list_or_as_one_text() {
        let list = place("urls = ['http://a:1', 'http://b:2']");
        assert_eq!(list, place("urls = 'http://a:1, http://b:2'"));
        assert!(list.check_ours("orders").is_ok());
    }

    #[test]
    fn what_cannot_be_an_address_or_a_path_is_refused_with_what_is_expected() {
        let refused = |place: &Place, name: &str| {
            let checked = match name {
                "orders" => place.check_ours(name),
                _ => place.check_foreign(name),
            };
            checked.unwrap_err().to_string()
        };
        assert!(refused(&place("urls = 'a:1'"), "orders").contains("http://host:port"));
        assert!(refused(&place(""), "orders").contains("urls"));
        let ours = place("urls = 'http://a:1'\nprefixes = ['/v1/orders']");
        assert!(refused(&ours, "orders").contains("says itself"));
        let foreign = place("urls = 'http://a:1'");
        assert!(refused(&foreign, "loyalty").contains("/v1/loyalty"));
        let foreign = place("urls = 'http://a:1'\nprefixes = ['/internal']");
        assert!(refused(&foreign, "loyalty").contains("two segments"));
        let foreign = place("urls = 'http://a:1'\nprefixes = ['/v1/loyalty', '/v1/orders']");
        assert!(refused(&foreign, "loyalty").contains("/v1/orders is Pasar's own"));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let place = place("secret = 'very secret indeed, and long'");
        assert!(!format!("{place:?}").contains("very"));
    }
}
