//! CloudEvents 1.0.2 in JSON: one, or a batch of them.
//!
//! `topic` and `partitionkey` say topic and key, `correlationid` (of a flow that Pasar began) and `causationid`
//! what it belongs to. Attributes that the relay sets itself are read over, so that one relay can deliver to
//! another; all others are kept.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use pasar_chassis::{extract::parse_json, problem::Problem};
use pasar_contracts::problem::ProblemType;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    data,
    draft::{Draft, Names, Terms},
    extensions::Extensions,
    media_type,
};
use crate::commands::append_messages::NewMessage;

/// Events of one batch at most.
pub(crate) const MAX_BATCH: usize = 1_000;

const NAMES: Names = Names {
    message_type: "type",
    key: "partitionkey",
};

/// An event as it was sent. Attributes that are `null` are absent.
#[derive(Default)]
pub(super) struct Event<'b> {
    pub(super) specversion: Option<Box<str>>,
    pub(super) id: Option<Box<str>>,
    pub(super) source: Option<Box<str>>,
    pub(super) event_type: Option<Box<str>>,
    pub(super) subject: Option<Box<str>>,
    pub(super) time: Option<Box<str>>,
    pub(super) datacontenttype: Option<Box<str>>,
    pub(super) topic: Option<Box<str>>,
    pub(super) partitionkey: Option<Box<str>>,
    pub(super) correlationid: Option<Box<str>>,
    pub(super) causationid: Option<Box<str>>,
    pub(super) traceparent: Option<Box<str>>,
    pub(super) data: Option<&'b RawValue>,
    pub(super) data_base64: Option<Box<str>>,
    pub(super) extensions: Extensions,
}

/// One event.
pub(crate) fn read(body: &[u8], terms: Terms<'_>) -> Result<NewMessage, Problem> {
    parse_json::<Event<'_>>(body)?.into_message(terms)
}

/// A JSON array of events, none of which is read twice. The problem of one names its place.
pub(crate) fn read_batch(body: &[u8], terms: Terms<'_>) -> Result<Vec<NewMessage>, Problem> {
    if body.is_empty() {
        return Err(Problem::new(ProblemType::InvalidRequest)
            .detail("the body is empty; expected a JSON array of events"));
    }
    let events: Vec<Event<'_>> = parse_json(body)?;
    if events.is_empty() || events.len() > MAX_BATCH {
        let expected =
            format!("expected 1 to {MAX_BATCH} events; send more as application/x-ndjson");
        return Err(Problem::invalid_field("body", expected));
    }
    let messages = events.into_iter().enumerate().map(|(index, event)| {
        event.into_message(terms).map_err(|problem| {
            let detail = problem.to_json()["detail"].as_str().map(str::to_owned);
            Problem::new(problem.kind())
                .detail(format!("[{index}]: {}", detail.unwrap_or_default()))
                .with("index", index)
        })
    });
    messages.collect()
}

impl Event<'_> {
    pub(super) fn into_message(self, terms: Terms<'_>) -> Result<NewMessage, Problem> {
        let absent = |field| Problem::invalid_field(field, "expected it to be there");
        match self.specversion.as_deref() {
            Some("1.0") => {}
            Some(_) => return Err(Problem::invalid_field("specversion", "expected 1.0")),
            None => return Err(absent("specversion")),
        }
        if self.id.is_none() {
            return Err(absent("id"));
        }
        if self.source.is_none() {
            return Err(absent("source"));
        }
        if self.event_type.is_none() {
            return Err(absent("type"));
        }
        let time = self.time.as_deref().map(str::parse).transpose();
        let time = time.map_err(|error: pasar_types::time::InvalidTimestamp| {
            Problem::invalid_field("time", error.to_string())
        })?;
        let flow = self.correlationid.as_deref().map(str::parse).transpose();
        let flow = flow.map_err(|_| {
            let why = "expected the id of a flow, flw_.., as answers and deliveries of Pasar give it; \
                       name ids of your own otherwise";
            Problem::invalid_field("correlationid", why)
        })?;
        let (content_type, data) =
            payload(self.datacontenttype, self.data, self.data_base64, terms)?;
        let draft = Draft {
            topic: self.topic,
            id: self.id,
            message_type: self.event_type,
            source: self.source,
            subject: self.subject,
            key: self.partitionkey,
            time,
            traceparent: self.traceparent,
            causation: self.causationid,
            flow,
            content_type,
            data,
            extensions: self.extensions.finish()?,
        };
        draft.finish(terms, &NAMES)
    }
}

/// The content type that is stored, and the data (JSON event format, section 3.1).
fn payload(
    content_type: Option<Box<str>>,
    data: Option<&RawValue>,
    base64: Option<Box<str>>,
    terms: Terms<'_>,
) -> Result<(Option<Box<str>>, Bytes), Problem> {
    let content_type = content_type.filter(|kind| !is_plain_json(kind));
    let expects_json = content_type.as_deref().is_none_or(media_type::is_json);
    match (data, base64) {
        (Some(_), Some(_)) => {
            let why = "expected data or data_base64, not both";
            Err(Problem::invalid_field("data_base64", why))
        }
        (Some(json), None) => {
            data::check_size(json.get().len(), terms)?;
            data::check_json("data", json)?;
            let bytes = if expects_json {
                Bytes::copy_from_slice(json.get().as_bytes())
            } else {
                let text: String = serde_json::from_str(json.get()).map_err(|_| {
                    let why = "expected a string, as datacontenttype is no JSON";
                    Problem::invalid_field("data", why)
                })?;
                Bytes::from(text)
            };
            Ok((content_type, bytes))
        }
        (None, Some(text)) => {
            let bytes = BASE64_STANDARD
                .decode(text.as_bytes())
                .map_err(|_| Problem::invalid_field("data_base64", "expected base64 (RFC 4648)"))?;
            if expects_json {
                check_bytes("data_base64", &bytes)?;
            }
            Ok((content_type, bytes.into()))
        }
        // No data is told as `null` where JSON is expected: the next reader needs some.
        (None, None) if expects_json => Ok((content_type, Bytes::from_static(b"null"))),
        (None, None) => Ok((content_type, Bytes::new())),
    }
}

/// What is stored as no content type at all.
pub(super) fn is_plain_json(content_type: &str) -> bool {
    media_type::essence(content_type).eq_ignore_ascii_case("application/json")
}

/// Checks bytes that are said to be JSON.
pub(super) fn check_bytes(field: &str, bytes: &[u8]) -> Result<(), Problem> {
    let json: &RawValue = serde_json::from_slice(bytes).map_err(|error| {
        Problem::invalid_field(
            field,
            format!("expected JSON, as the content type says: {error}"),
        )
    })?;
    data::check_json(field, json)
}

impl<'de> Deserialize<'de> for Event<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attributes)
    }
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Event<'de>, M::Error> {
        let mut event = Event::default();
        // A name that comes twice would be kept twice; there are few, so they are looked through.
        let mut others: Vec<Box<str>> = Vec::new();
        while let Some(name) = map.next_key::<Box<str>>()? {
            if let Some(place) = event.place(&name) {
                if place.is_some() {
                    return Err(M::Error::custom(format_args!("duplicate field `{name}`")));
                }
                *place = map.next_value()?;
            } else if &*name == "data" {
                if event.data.is_some() {
                    return Err(M::Error::duplicate_field("data"));
                }
                event.data = Some(map.next_value()?);
            } else {
                if others.contains(&name) {
                    return Err(M::Error::custom(format_args!("duplicate field `{name}`")));
                }
                let value: &RawValue = map.next_value()?;
                event
                    .extensions
                    .add(&name, value)
                    .map_err(M::Error::custom)?;
                if event.extensions.is_too_large() {
                    return Err(M::Error::custom("there are too many further attributes"));
                }
                others.push(name);
            }
        }
        Ok(event)
    }
}

impl Event<'_> {
    /// Where an attribute that means something to us is kept.
    pub(super) fn place(&mut self, name: &str) -> Option<&mut Option<Box<str>>> {
        match name {
            "specversion" => Some(&mut self.specversion),
            "id" => Some(&mut self.id),
            "source" => Some(&mut self.source),
            "type" => Some(&mut self.event_type),
            "subject" => Some(&mut self.subject),
            "time" => Some(&mut self.time),
            "datacontenttype" => Some(&mut self.datacontenttype),
            "topic" => Some(&mut self.topic),
            "partitionkey" => Some(&mut self.partitionkey),
            "correlationid" => Some(&mut self.correlationid),
            "causationid" => Some(&mut self.causationid),
            "traceparent" => Some(&mut self.traceparent),
            "data_base64" => Some(&mut self.data_base64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        format::cloudevent,
        input::draft::tests::{TERMS, refused_field},
    };

    fn event(more: &Value) -> Vec<u8> {
        let mut event = json!({"specversion":"1.0","id":"1","source":"/s","type":"t"});
        let members = event.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        members.retain(|_, value| *value != json!("gone"));
        event.to_string().into_bytes()
    }

    fn read_back(more: &Value) -> Value {
        let message = read(&event(more), TERMS).unwrap().message;
        serde_json::from_slice(&cloudevent(&message)).unwrap()
    }

    #[test]
    fn attributes_data_and_extensions_read_back() {
        let more = json!({
            "subject": "s", "time": "2026-01-02T03:04:05Z", "partitionkey": "k", "topic": "a.b",
            "dataschema": "https://schema.example/1", "priority": 3, "urgent": true, "note": "é \"x\"",
            "data": {"a": [1, 2]}, "nothing": null,
        });
        let back = read_back(&more);
        for (name, value) in more.as_object().unwrap() {
            assert_eq!(back.get(name).unwrap_or(&Value::Null), value, "{name}");
        }
        for (name, value) in [("id", "1"), ("source", "/s"), ("type", "t")] {
            assert_eq!(back[name], value);
        }
    }

    #[test]
    fn data_that_is_no_json_keeps_its_bytes_and_its_type() {
        let text = json!({"datacontenttype": "text/plain", "data": "halo"});
        let base64 = json!({"datacontenttype": "text/plain", "data_base64": "aGFsbw=="});
        for given in [text, base64] {
            let message = read(&event(&given), TERMS).unwrap().message;
            assert_eq!(message.data, "halo");
            assert_eq!(message.content_type.as_deref(), Some("text/plain"));
        }
        let json = json!({"datacontenttype": "application/x+json", "data": {"a": 1}});
        let back = read_back(&json);
        assert_eq!(back["data"], json["data"]);
        assert_eq!(back["datacontenttype"], json["datacontenttype"]);
        assert_eq!(read_back(&json!({}))["data"], Value::Null);
    }

    #[test]
    fn what_the_relay_sets_itself_is_read_over() {
        let chained = json!({"position": "7", "actor": "key:x", "sequence": "9", "keyversion": 2});
        let back = read_back(&chained);
        assert_eq!(back["position"], "0");
        assert_eq!(back["actor"], "");
        assert_eq!(
            (&back["sequence"], &back["keyversion"]),
            (&json!("9"), &json!(2))
        );
    }

    #[test]
    fn the_attribute_at_fault_is_named() {
        for (more, field) in [
            (json!({"id": "gone"}), "id"),
            (json!({"source": "gone"}), "source"),
            (json!({"type": "gone"}), "type"),
            (json!({"type": null}), "type"),
            (json!({"specversion": "0.3"}), "specversion"),
            (json!({"specversion": 1}), "specversion"),
            (json!({"id": ""}), "id"),
            (json!({"subject": "a\tb"}), "subject"),
            (json!({"time": "yesterday"}), "time"),
            (json!({"topic": "a b"}), "topic"),
            (json!({"partitionkey": ""}), "partitionkey"),
            (json!({"correlationid": "mine"}), "correlationid"),
            (json!({"data": 1, "data_base64": ""}), "data_base64"),
            (json!({"data_base64": "?"}), "data_base64"),
            (json!({"data_base64": "e30x"}), "data_base64"),
            (json!({"datacontenttype": "text/plain", "data": {}}), "data"),
            (json!({"Mixed": "a"}), "Mixed"),
            (json!({"with_line": "a"}), "with_line"),
        ] {
            assert_eq!(refused_field(read(&event(&more), TERMS)), field, "{more}");
        }
        for more in [
            json!({"list": []}),
            json!({"big": 3_000_000_000_i64}),
            json!({"line": "\n"}),
        ] {
            assert_eq!(
                read(&event(&more), TERMS).unwrap_err().status(),
                422,
                "{more}"
            );
        }
    }

    #[test]
    fn an_attribute_that_comes_twice_is_refused() {
        for twice in [
            r#""priority":1,"priority":2"#,
            r#""data":1,"data":2"#,
            r#""id":"2""#,
        ] {
            let event =
                format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{twice}}}"#);
            let refused = read(event.as_bytes(), TERMS).unwrap_err();
            assert_eq!(refused.status(), 422, "{twice}");
        }
    }

    #[test]
    fn a_batch_names_the_event_at_fault() {
        let good = String::from_utf8(event(&json!({}))).unwrap();
        let bad = String::from_utf8(event(&json!({"time": "x"}))).unwrap();
        let read = |batch: &str| read_batch(batch.as_bytes(), TERMS);
        assert_eq!(read(&format!("[{good},{good}]")).unwrap().len(), 2);
        let problem = read(&format!("[{good},{bad}]")).unwrap_err().to_json();
        assert_eq!(problem["index"], 1);
        assert_eq!(read("[]").unwrap_err().status(), 422);
        assert_eq!(read("").unwrap_err().status(), 400);
        assert_eq!(read("{}").unwrap_err().status(), 422);
        let many = format!("[{}]", vec![good; MAX_BATCH + 1].join(","));
        assert_eq!(read(&many).unwrap_err().status(), 422);
    }
}
