//! Names of topics, patterns of them, and what a scope allows. Pure rules.

use pasar_contracts::{api::relay::MAX_TOPIC_BYTES, event::Service};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected words of letters, digits, - and _, joined by dots, {MAX_TOPIC_BYTES} bytes at most"
)]
pub struct InvalidTopic;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a topic, a topic's first words and .*, or * alone, {MAX_TOPIC_BYTES} bytes at most"
)]
pub struct InvalidPattern;

/// Which topics, or types: one exactly, all that begin with some words, or all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    Exactly(Box<str>),
    /// With the dot at the end: `orders.`.
    Below(Box<str>),
    All,
}

/// Checks the name of a topic.
pub fn check(topic: &str) -> Result<(), InvalidTopic> {
    let is_topic = topic.len() <= MAX_TOPIC_BYTES && topic.split('.').all(is_word);
    is_topic.then_some(()).ok_or(InvalidTopic)
}

/// Topics that only services' events go to: those named as a service is, and below.
#[must_use]
pub fn is_reserved(topic: &str) -> bool {
    let first = topic.split('.').next().unwrap_or_default();
    first.parse::<Service>().is_ok()
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text == "*" {
            return Ok(Self::All);
        }
        let (stem, pattern) = match text.strip_suffix(".*") {
            Some(stem) => (stem, Self::Below(format!("{stem}.").into())),
            None => (text, Self::Exactly(text.into())),
        };
        check(stem).map_err(|_| InvalidPattern)?;
        Ok(pattern)
    }

    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(exact) => name == &**exact,
            Self::Below(stem) => name.starts_with(&**stem),
            Self::All => true,
        }
    }

    /// Whether everything that the other matches is matched by this one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (_, Self::All) => false,
            (Self::Exactly(own), Self::Exactly(other)) => own == other,
            (Self::Exactly(_), Self::Below(_)) => false,
            (Self::Below(stem), Self::Exactly(other) | Self::Below(other)) => {
                other.starts_with(&**stem)
            }
        }
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_matches_its_topic_or_what_lies_below() {
        assert!(pattern("client").matches("client"));
        assert!(!pattern("client").matches("client.x"));
        assert!(pattern("orders.*").matches("orders.ready"));
        assert!(!pattern("orders.*").matches("orders"));
        assert!(!pattern("orders.*").matches("ordersx.ready"));
        assert!(pattern("*").matches("anything"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a..b", "*.a", "a*", "a b", "a.*.b", "ä",
        ] {
            assert_eq!(Pattern::parse(text), Err(InvalidPattern), "{text}");
        }
        assert_eq!(
            Pattern::parse(&"a".repeat(MAX_TOPIC_BYTES + 1)),
            Err(InvalidPattern)
        );
    }

    #[test]
    fn a_pattern_covers_no_more_than_it_matches() {
        assert!(pattern("*").covers(&pattern("a.*")));
        assert!(pattern("a.*").covers(&pattern("a.b.*")));
        assert!(pattern("a.*").covers(&pattern("a.b")));
        assert!(!pattern("a.*").covers(&pattern("a")));
        assert!(!pattern("a.b").covers(&pattern("a.*")));
        assert!(!pattern("a.*").covers(&pattern("*")));
    }

    #[test]
    fn topics_of_services_are_reserved() {
        assert!(is_reserved("orders"));
        assert!(is_reserved("relay.x"));
        assert!(!is_reserved("client"));
        assert!(!is_reserved("my.orders"));
    }
}
