//! What a subscription takes: topics, types, sources and fields of the data. Pure rules.

use serde_json::Value;

use crate::{message::Message, topic::Pattern};

/// All parts must match; a part that names nothing matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// At least one.
    pub topics: Vec<Pattern>,
    pub types: Vec<Pattern>,
    pub sources: Vec<Box<str>>,
    pub conditions: Vec<Condition>,
}

/// A field of the data has one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Names of members, from the outside in.
    pub path: Vec<Box<str>>,
    /// Strings, numbers and booleans; at least one.
    pub values: Vec<Value>,
}

impl Filter {
    /// Everything on some topics.
    #[must_use]
    pub const fn topics(topics: Vec<Pattern>) -> Self {
        Self {
            topics,
            types: Vec::new(),
            sources: Vec::new(),
            conditions: Vec::new(),
        }
    }

    /// `data` is parsed only where a condition asks for it, and kept for the next filter.
    pub fn matches(&self, message: &Message, data: &mut ParsedData) -> bool {
        self.topics
            .iter()
            .any(|topic| topic.matches(&message.topic))
            && self.matches_but_for_topics(message, data)
    }

    /// For callers that found the filter by its topic.
    pub fn matches_but_for_topics(&self, message: &Message, data: &mut ParsedData) -> bool {
        matches_any(&self.types, |kind| kind.matches(&message.message_type))
            && matches_any(&self.sources, |source| **source == *message.source)
            && self
                .conditions
                .iter()
                .all(|condition| condition.matches(data.of(message)))
    }
}

fn matches_any<T>(wanted: &[T], matches: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

impl Condition {
    #[must_use]
    pub fn matches(&self, data: &Value) -> bool {
        self.field(data)
            .is_some_and(|field| self.values.contains(field))
    }

    /// The field that it is about.
    #[must_use]
    pub fn field<'d>(&self, data: &'d Value) -> Option<&'d Value> {
        self.path
            .iter()
            .try_fold(data, |value, name| value.get(&**name))
    }
}

/// The data of one message, parsed at most once.
#[derive(Debug, Default)]
pub struct ParsedData(Option<Value>);

impl ParsedData {
    /// `null` for data that is no JSON.
    pub fn of(&mut self, message: &Message) -> &Value {
        self.0.get_or_insert_with(|| {
            if message.is_json() {
                serde_json::from_slice(&message.data).unwrap_or_default()
            } else {
                Value::Null
            }
        })
    }
}
