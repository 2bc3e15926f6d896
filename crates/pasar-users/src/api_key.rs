//! API keys as text, what may stand in them, and what one key may hand on to another. Pure rules.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use pasar_contracts::api::users::{
    API_KEY_PREFIX, MAX_OWN_REQUESTS_PER_MINUTE, MAX_SCOPES, RateLimit,
};
use pasar_types::id::ApiKeyId;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key with its secret: `pasar_sk_<id>_<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FullKey {
    pub(crate) id: ApiKeyId,
    secret: [u8; 32],
}

/// What a key may be used for: `publish:client`, `subscribe:orders.*`. Sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKey {
    #[error("expected publish:<topic> or subscribe:<topic>, got {0:?}")]
    Scope(String),
    #[error("expected at most {MAX_SCOPES} scopes")]
    TooManyScopes,
    #[error("expected at least one request a minute")]
    RateLimit,
}

const VERBS: [&str; 3] = ["publish", "subscribe", "feed"];
const MAX_TOPIC_BYTES: usize = 200;

impl FullKey {
    pub(crate) const fn new(id: ApiKeyId, secret: [u8; 32]) -> Self {
        Self { id, secret }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(API_KEY_PREFIX)?.split_once('_')?;
        let id = format!("{}_{id}", ApiKeyId::PREFIX).parse().ok()?;
        let mut bytes = [0; 32];
        let length = BASE64_URL_SAFE_NO_PAD
            .decode_slice(secret, &mut bytes)
            .ok()?;
        (length == bytes.len()).then_some(Self { id, secret: bytes })
    }

    pub(crate) fn write(&self) -> String {
        let id = self.id.to_string();
        let id = id.split_once('_').map_or("", |(_, suffix)| suffix);
        let secret = BASE64_URL_SAFE_NO_PAD.encode(self.secret);
        format!("{API_KEY_PREFIX}{id}_{secret}")
    }

    /// What is stored of the secret. It is random, so a fast hash is enough.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    pub(crate) fn has_hash(&self, hash: &[u8; 32]) -> bool {
        self.hash().ct_eq(hash).into()
    }
}

impl Scopes {
    pub(crate) fn parse(scopes: &[String]) -> Result<Self, InvalidKey> {
        if scopes.len() > MAX_SCOPES {
            return Err(InvalidKey::TooManyScopes);
        }
        let invalid = scopes.iter().find(|scope| !is_scope(scope));
        if let Some(scope) = invalid {
            return Err(InvalidKey::Scope(scope.chars().take(64).collect()));
        }
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self(scopes))
    }

    pub(crate) fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether each of them is allowed by one of the others.
    pub(crate) fn within(&self, others: &[String]) -> bool {
        self.0
            .iter()
            .all(|scope| others.iter().any(|other| covers(other, scope)))
    }
}

/// `verb:topic`, the topic in dotted words, the last of which may be `*`; or `*` alone.
fn is_scope(scope: &str) -> bool {
    let Some((verb, topic)) = scope.split_once(':') else {
        return false;
    };
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut words = topic.split('.').rev();
    let last = words.next().unwrap_or_default();
    VERBS.contains(&verb)
        && topic.len() <= MAX_TOPIC_BYTES
        && (last == "*" || word(last))
        && words.all(word)
}

fn covers(wide: &str, narrow: &str) -> bool {
    wide == narrow
        || wide
            .strip_suffix('*')
            .is_some_and(|start| narrow.starts_with(start))
}

/// Refuses what nobody may set.
pub(crate) const fn check_rate_limit(limit: Option<RateLimit>) -> Result<(), InvalidKey> {
    match limit {
        Some(RateLimit::PerMinute(0)) => Err(InvalidKey::RateLimit),
        Some(RateLimit::PerMinute(_) | RateLimit::Unlimited) | None => Ok(()),
    }
}

/// Whether anybody may set it, not admins alone.
pub(crate) const fn is_own_rate_limit(limit: Option<RateLimit>) -> bool {
    match limit {
        None => true,
        Some(RateLimit::PerMinute(requests)) => requests <= MAX_OWN_REQUESTS_PER_MINUTE,
        Some(RateLimit::Unlimited) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scopes(scopes: &[&str]) -> Result<Scopes, InvalidKey> {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        Scopes::parse(&scopes)
    }

    #[test]
    fn a_key_says_what_it_is_and_reads_back() {
        let key = FullKey::new(ApiKeyId::from_bytes([1; 16]), [0xff; 32]);
        let text = key.write();
        insta::assert_snapshot!(text, @"pasar_sk_01040g2081040g2081040g2081___________________________________________8");
        assert!(FullKey::read(&text) == Some(key.clone()));
        assert!(key.has_hash(&key.hash()));
        assert!(!key.has_hash(&FullKey::new(key.id, [0xfe; 32]).hash()));
    }

    #[test]
    fn what_is_not_a_key_is_not_read() {
        let text = FullKey::new(ApiKeyId::from_bytes([1; 16]), [3; 32]).write();
        for text in [
            "",
            "pasar_sk_",
            "pasar_sk__",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}A"),
        ] {
            assert!(FullKey::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn scopes_name_a_verb_and_topics() {
        assert!(
            scopes(&[
                "publish:client",
                "subscribe:orders.*",
                "subscribe:*",
                "feed:orders"
            ])
            .is_ok()
        );
        for scope in [
            "",
            "publish",
            "publish:",
            "read:x",
            "publish:a..b",
            "publish:*.a",
            "publish:a b",
            "publish:a*",
        ] {
            assert_eq!(
                scopes(&[scope]),
                Err(InvalidKey::Scope(scope.to_owned())),
                "{scope}"
            );
        }
        let many = vec!["publish:client"; MAX_SCOPES + 1];
        assert_eq!(scopes(&many), Err(InvalidKey::TooManyScopes));
    }

    #[test]
    fn a_key_hands_on_no_more_than_it_has() {
        let within = |narrow: &[&str], wide: &[&str]| {
            scopes(narrow)
                .unwrap()
                .within(scopes(wide).unwrap().as_slice())
        };
        assert!(within(&["subscribe:orders.ready"], &["subscribe:orders.*"]));
        assert!(within(&["subscribe:orders.*"], &["subscribe:*"]));
        assert!(!within(&["subscribe:orders"], &["subscribe:orders.*"]));
        assert!(!within(
            &["subscribe:orders.*"],
            &["subscribe:orders.ready"]
        ));
        assert!(!within(&["publish:client"], &["subscribe:*"]));
        assert!(!within(&["publish:client"], &[]));
    }

    #[test]
    fn large_and_unlimited_rates_are_for_admins_to_give() {
        assert!(is_own_rate_limit(None));
        assert!(is_own_rate_limit(Some(RateLimit::PerMinute(6_000))));
        assert!(!is_own_rate_limit(Some(RateLimit::PerMinute(6_001))));
        assert!(!is_own_rate_limit(Some(RateLimit::Unlimited)));
        assert_eq!(
            check_rate_limit(Some(RateLimit::PerMinute(0))),
            Err(InvalidKey::RateLimit)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read(id in any::<[u8; 16]>(), secret: [u8; 32]) {
            let key = FullKey::new(ApiKeyId::from_bytes(id), secret);
            prop_assert!(FullKey::read(&key.write()) == Some(key));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "(pasar_sk_)?\\PC{0,120}") {
            let _ = FullKey::read(&text);
        }
    }
}
