//! A message's CloudEvents attributes as names and texts, for protocols that carry them beside the body.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::message::Message;

/// A name and its text.
pub type Attribute<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All but `datacontenttype`, which every binding carries as its content type. The same ones as in
/// [`crate::format::cloudevent`].
#[must_use]
pub fn attributes(message: &Message) -> Vec<Attribute<'_>> {
    let mut list = List(Vec::with_capacity(16));
    list.add("specversion", "1.0");
    list.add("id", &*message.id);
    list.add("source", &*message.source);
    list.add("type", &*message.message_type);
    list.optional("subject", message.subject.as_deref());
    list.add("time", message.time.to_string());
    list.add("topic", &*message.topic);
    list.add("position", message.position.to_string());
    list.add("correlationid", message.flow.to_string());
    list.optional("causationid", message.causation.as_deref());
    list.optional("traceparent", message.traceparent.as_deref());
    list.add("actor", &*message.actor);
    list.optional("partitionkey", message.key.as_deref());
    if let Some(origin) = message.origin {
        list.add("keyversion", origin.keyversion.to_string());
        list.add("epoch", origin.epoch.to_string());
        list.add("sequence", origin.sequence.to_string());
    }
    list.extensions(message.extensions.as_deref());
    list.0
}

struct List<'a>(Vec<Attribute<'a>>);

impl<'a> List<'a> {
    fn add(&mut self, name: &'static str, text: impl Into<Cow<'a, str>>) {
        self.0.push((name.into(), text.into()));
    }

    fn optional(&mut self, name: &'static str, text: Option<&'a str>) {
        if let Some(text) = text {
            self.add(name, text);
        }
    }

    fn extensions(&mut self, json: Option<&str>) {
        let Some(members) = json.and_then(|text| serde_json::from_str::<Map<_, Value>>(text).ok())
        else {
            return;
        };
        for (name, value) in members {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            self.0.push((name.into(), text.into()));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use pasar_types::{id::FlowId, time::Timestamp};

    use super::*;

    pub(in crate::destinations) fn message() -> Message {
        Message {
            position: 7,
            topic: "orders".into(),
            id: "evt_1".into(),
            message_type: "order.ready.v1".into(),
            source: "/pasar/orders".into(),
            subject: None,
            key: Some("ord_1".into()),
            time: Timestamp::from_micros(1_700_000_000_000_000),
            accepted_at: Timestamp::from_micros(1_700_000_000_000_001),
            flow: FlowId::from_bytes([7; 16]),
            causation: None,
            traceparent: None,
            actor: "service:orders".into(),
            origin: None,
            content_type: None,
            data: br#"{"number":7}"#.as_slice().into(),
            extensions: Some(r#"{"tenant":"a","weight":3}"#.into()),
        }
    }

    #[test]
    fn attributes_are_those_of_the_structured_form() {
        let message = message();
        let structured: Map<String, Value> =
            serde_json::from_slice(&crate::format::cloudevent(&message)).unwrap();
        let mut listed: Vec<_> = attributes(&message)
            .into_iter()
            .map(|(name, text)| (name.into_owned(), text.into_owned()))
            .collect();
        let mut expected: Vec<_> = structured
            .into_iter()
            .filter(|(name, _)| name != "data" && name != "datacontenttype")
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
    }
}
