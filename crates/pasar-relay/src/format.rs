//! A message as the bytes that a destination or stream gets. Made once a format, and shared by all who get it.

use std::{io::Write as _, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use pasar_contracts::api::relay::Format;
use serde::Serialize as _;

use crate::message::Message;

/// Bytes and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub body: Bytes,
    pub content_type: Arc<str>,
}

const JSON: &str = "application/json";
const CLOUDEVENTS: &str = "application/cloudevents+json";
const TEXT: &str = "text/plain; charset=utf-8";

#[must_use]
pub fn encode(message: &Message, format: Format) -> Encoded {
    match format {
        Format::Cloudevents => Encoded {
            body: cloudevent(message),
            content_type: CLOUDEVENTS.into(),
        },
        Format::Data => Encoded {
            body: message.data.clone(),
            content_type: message.content_type.as_deref().unwrap_or(JSON).into(),
        },
        Format::Raw => raw(message),
    }
}

fn raw(message: &Message) -> Encoded {
    let text = message
        .is_json()
        .then(|| serde_json::from_slice::<String>(&message.data).ok())
        .flatten();
    match text {
        Some(text) => Encoded {
            body: text.into(),
            content_type: TEXT.into(),
        },
        None => encode(message, Format::Data),
    }
}

/// CloudEvents 1.0.2 in JSON. Members are written by hand, as data is JSON already and need not be parsed.
#[must_use]
pub fn cloudevent(message: &Message) -> Bytes {
    let mut json = Json(Vec::with_capacity(message.data.len() + 512));
    json.0.extend_from_slice(br#"{"specversion":"1.0""#);
    json.text("id", &message.id);
    json.text("source", &message.source);
    json.text("type", &message.message_type);
    json.optional("subject", message.subject.as_deref());
    json.text("time", &message.time.to_string());
    json.text("topic", &message.topic);
    // Decimal text, as CloudEvents integers have 32 bits.
    json.text("position", &message.position.to_string());
    json.text("correlationid", &message.flow.to_string());
    json.optional("causationid", message.causation.as_deref());
    json.optional("traceparent", message.traceparent.as_deref());
    json.text("actor", &message.actor);
    json.optional("partitionkey", message.key.as_deref());
    if let Some(origin) = message.origin {
        json.name("keyversion");
        let _ = write!(json.0, "{}", origin.keyversion);
        json.text("epoch", &origin.epoch.to_string());
        json.text("sequence", &origin.sequence.to_string());
    }
    if let Some(extensions) = &message.extensions {
        let members = extensions
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or_default();
        if !members.is_empty() {
            json.0.push(b',');
            json.0.extend_from_slice(members.as_bytes());
        }
    }
    json.text(
        "datacontenttype",
        message.content_type.as_deref().unwrap_or(JSON),
    );
    if message.is_json() {
        json.name("data");
        json.0.extend_from_slice(&message.data);
    } else {
        json.text("data_base64", &BASE64_STANDARD.encode(&message.data));
    }
    json.0.push(b'}');
    json.0.into()
}

struct Json(Vec<u8>);

impl Json {
    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        value
            .serialize(&mut serde_json::Serializer::new(&mut self.0))
            .expect("text is written to memory");
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }
}
