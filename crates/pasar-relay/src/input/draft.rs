//! A message in the making: what all forms have in common, and what must hold of it whatever its form.

use std::sync::Arc;

use bytes::Bytes;
use pasar_chassis::problem::{FieldError, Problem};
use pasar_contracts::api::relay::{DEFAULT_TOPIC, DEFAULT_TYPE, MAX_NAME_BYTES};
use pasar_types::{id::FlowId, time::Timestamp};

use super::data;
use crate::{commands::append_messages::NewMessage, message::Message, topic};

/// What the reading of a request needs to know besides its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'t> {
    pub(crate) now: Timestamp,
    /// The most bytes of data that a message may have.
    pub(crate) data_bytes: usize,
    /// Where everything goes, whatever it says itself: the query's `topic`.
    pub(crate) topic: Option<&'t str>,
}

/// What was given; texts that are absent get their defaults.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) topic: Option<Box<str>>,
    pub(crate) id: Option<Box<str>>,
    pub(crate) message_type: Option<Box<str>>,
    pub(crate) source: Option<Box<str>>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) key: Option<Box<str>>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) traceparent: Option<Box<str>>,
    pub(crate) causation: Option<Box<str>>,
    pub(crate) flow: Option<FlowId>,
    pub(crate) content_type: Option<Box<str>>,
    pub(crate) data: Bytes,
    pub(crate) extensions: Option<Box<str>>,
}

/// What the fields are called in the form that was used.
pub(crate) struct Names {
    pub(crate) message_type: &'static str,
    pub(crate) key: &'static str,
}

pub(crate) const CLIENT_SOURCE: &str = "/pasar/client";

impl Draft {
    /// The message, if all of it is acceptable; otherwise every field that is not.
    pub(crate) fn finish(self, terms: Terms<'_>, names: &Names) -> Result<NewMessage, Problem> {
        data::check_size(self.data.len(), terms)?;
        let mut errors = Vec::new();
        let topic: Box<str> = match (terms.topic, self.topic) {
            (Some(topic), _) => topic.into(),
            (None, topic) => topic.unwrap_or_else(|| DEFAULT_TOPIC.into()),
        };
        if let Err(error) = topic::check(&topic) {
            errors.push(field_error("topic", &error));
        }
        for (field, text) in [
            ("id", &self.id),
            (names.message_type, &self.message_type),
            ("source", &self.source),
            ("subject", &self.subject),
            (names.key, &self.key),
            ("traceparent", &self.traceparent),
            ("causationid", &self.causation),
            ("datacontenttype", &self.content_type),
        ] {
            if let Some(why) = text.as_deref().and_then(fault_of_name) {
                errors.push(field_error(field, &why));
            }
        }
        if !errors.is_empty() {
            return Err(Problem::invalid_fields(errors));
        }
        Ok(NewMessage {
            has_id: self.id.is_some(),
            flow: self.flow,
            message: Arc::new(Message {
                position: 0,
                topic,
                id: self.id.unwrap_or_default(),
                message_type: self.message_type.unwrap_or_else(|| DEFAULT_TYPE.into()),
                source: self.source.unwrap_or_else(|| CLIENT_SOURCE.into()),
                subject: self.subject,
                key: self.key,
                time: self.time.unwrap_or(terms.now),
                accepted_at: terms.now,
                flow: FlowId::from_bytes([0; 16]),
                causation: self.causation,
                traceparent: self.traceparent,
                actor: Box::default(),
                origin: None,
                content_type: self.content_type,
                data: self.data,
                extensions: self.extensions,
            }),
        })
    }
}

pub(crate) fn field_error(field: impl Into<String>, why: &impl ToString) -> FieldError {
    FieldError {
        field: field.into(),
        detail: why.to_string(),
    }
}

/// Why a text cannot be an attribute (CloudEvents 1.0.2, type system, String: no control characters).
pub(crate) fn fault_of_name(text: &str) -> Option<String> {
    if !(1..=MAX_NAME_BYTES).contains(&text.len()) {
        return Some(format!("expected 1 to {MAX_NAME_BYTES} bytes"));
    }
    fault_of_text(text).map(str::to_owned)
}

pub(crate) fn fault_of_text(text: &str) -> Option<&'static str> {
    text.chars()
        .any(char::is_control)
        .then_some("expected no control characters")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const TERMS: Terms<'static> = Terms {
        now: Timestamp::from_micros(1_767_225_600_000_000),
        data_bytes: 4_096,
        topic: None,
    };

    /// The first field that was refused, or the problem's name.
    pub(crate) fn refused_field(read: Result<NewMessage, Problem>) -> String {
        let problem = read.unwrap_err().to_json();
        let field = problem["errors"][0]["field"].as_str();
        field.or(problem["type"].as_str()).unwrap().to_owned()
    }

    #[test]
    fn the_querys_topic_is_where_everything_goes() {
        let terms = Terms {
            topic: Some("bulk"),
            ..TERMS
        };
        let draft = Draft {
            topic: Some("orders".into()),
            ..Draft::default()
        };
        let names = Names {
            message_type: "type",
            key: "key",
        };
        assert_eq!(&*draft.finish(terms, &names).unwrap().message.topic, "bulk");
    }
}
