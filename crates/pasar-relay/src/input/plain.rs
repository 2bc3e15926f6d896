//! Our own form: `{"text": "halo"}`, or topic, type, key, id and data. The model for the documentation is
//! `MessageInput`; here the data stays text.

use bytes::Bytes;
use pasar_chassis::{extract::parse_json, problem::Problem};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    data,
    draft::{Draft, Names, Terms},
};
use crate::commands::append_messages::NewMessage;

const NAMES: Names = Names {
    message_type: "type",
    key: "key",
};

/// The fields of `MessageInput`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'b> {
    #[serde(borrow, default, deserialize_with = "given")]
    text: Option<&'b RawValue>,
    topic: Option<Box<str>>,
    #[serde(rename = "type")]
    message_type: Option<Box<str>>,
    key: Option<Box<str>>,
    #[serde(borrow, default, deserialize_with = "given")]
    data: Option<&'b RawValue>,
    id: Option<Box<str>>,
}

/// `null` is data; an absent field is none.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

pub(crate) fn read(body: &[u8], terms: Terms<'_>) -> Result<NewMessage, Problem> {
    let plain: Plain<'_> = parse_json(body)?;
    let data = match (plain.text, plain.data) {
        (Some(_), Some(_)) => {
            let why = "expected text or data, not both";
            return Err(Problem::invalid_field("text", why));
        }
        (Some(text), None) if !text.get().starts_with('"') => {
            return Err(Problem::invalid_field("text", "expected a string"));
        }
        (Some(text), None) => ("text", text),
        (None, Some(data)) => ("data", data),
        (None, None) => {
            let why = r#"expected data, or text, as in {"text": "halo"}"#;
            return Err(Problem::invalid_field("data", why));
        }
    };
    let (field, json) = data;
    data::check_size(json.get().len(), terms)?;
    data::check_json(field, json)?;
    let draft = Draft {
        topic: plain.topic,
        id: plain.id,
        message_type: plain.message_type,
        key: plain.key,
        data: Bytes::copy_from_slice(json.get().as_bytes()),
        ..Draft::default()
    };
    draft.finish(terms, &NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::draft::tests::{TERMS, refused_field};

    fn refused(body: &str) -> String {
        refused_field(read(body.as_bytes(), TERMS))
    }

    #[test]
    fn text_is_short_for_data_with_a_string() {
        let short = read(br#"{"text":"halo \u00e9"}"#, TERMS).unwrap().message;
        assert_eq!(&*short.topic, "client");
        assert_eq!(&*short.message_type, "message");
        assert_eq!(short.data, r#""halo \u00e9""#);
        let long = read(
            br#"{"topic":"a.b","type":"t","key":"k","data":null}"#,
            TERMS,
        );
        let long = long.unwrap().message;
        assert_eq!((&*long.topic, &*long.message_type), ("a.b", "t"));
        assert_eq!(long.key.as_deref(), Some("k"));
        assert_eq!(long.data, "null");
    }

    #[test]
    fn data_is_kept_as_it_came() {
        let body = br#"{"data": {"a":1.50,  "b":12345678901234567890123} }"#;
        let message = read(body, TERMS).unwrap().message;
        assert_eq!(message.data, r#"{"a":1.50,  "b":12345678901234567890123}"#);
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (body, field) in [
            ("{}", "data"),
            ("", "data"),
            (r#"{"text":"a","data":1}"#, "text"),
            (r#"{"text":1}"#, "text"),
            (r#"{"text":null}"#, "text"),
            (r#"{"text":"a","topic":"a b"}"#, "topic"),
            (r#"{"text":"a","topic":7}"#, "topic"),
            (r#"{"text":"a","topc":"a"}"#, "topc"),
            (r#"{"text":"a","id":""}"#, "id"),
            (r#"{"text":"a","key":"a\nb"}"#, "key"),
            (r#"{"text":"a","type":"\u0085"}"#, "type"),
            (r#"{"text":"a\u0000"}"#, "text"),
            (r#"{"data":{"a":"\ud800"}}"#, "data"),
        ] {
            assert_eq!(refused(body), field, "{body}");
        }
        let long = format!(r#"{{"text":"a","id":"{}"}}"#, "x".repeat(256));
        assert_eq!(refused(&long), "id");
    }

    #[test]
    fn what_is_no_json_or_too_large_is_told_so() {
        let status = |body: &[u8]| read(body, TERMS).unwrap_err().status().as_u16();
        assert_eq!(status(b"{"), 400);
        assert_eq!(status(b"{\"text\":\"\xff\"}"), 400);
        assert_eq!(status(b"[]"), 422);
        let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(TERMS.data_bytes));
        assert_eq!(status(large.as_bytes()), 413);
    }
}
