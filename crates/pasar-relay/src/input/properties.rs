//! Whatever bytes come, they are a message or a problem; and what is a message reads back the same.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use pasar_chassis::problem::Problem;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{binary, cloudevent, draft::tests::TERMS, lines::Lines, plain};
use crate::{commands::append_messages::NewMessage, format, message::Message};

/// A refusal has a status of the client's making.
fn is_told(read: &Result<NewMessage, Problem>) -> bool {
    match read {
        Ok(new) => serde_json::from_slice::<Value>(&format::cloudevent(&new.message)).is_ok(),
        Err(problem) => (400..500).contains(&problem.status().as_u16()),
    }
}

fn read_back(message: &Message) -> Value {
    serde_json::from_slice(&format::cloudevent(message)).unwrap()
}

/// Bytes that get past the first brace more often than noise does.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\u0000",
        "\\ud800",
        "\\",
        "null",
        "1e999",
        "-",
        "true",
        "\"text\"",
        "\"data\"",
        "\"id\"",
        "\"specversion\"",
        "\"1.0\"",
        "\"source\"",
        "\"type\"",
        "\"data_base64\"",
        "\"time\"",
        "\"topic\"",
        "\u{0}",
        "é",
        " ",
        "\n",
        "\"x\"",
    ]);
    let noise = prop::collection::vec(any::<u8>(), 0..4);
    prop::collection::vec(
        prop_oneof![8 => parts.prop_map(|part| part.as_bytes().to_vec()), 1 => noise],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const NAME: &str = "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,40}";

proptest! {
    #[test]
    fn no_bytes_make_a_reader_fail_with_anything_but_a_problem(
        bytes in prop_oneof![nearly_json(), prop::collection::vec(any::<u8>(), 0..200)],
        cut in 1..50_usize,
    ) {
        prop_assert!(is_told(&plain::read(&bytes, TERMS)));
        prop_assert!(is_told(&cloudevent::read(&bytes, TERMS)));
        if let Err(problem) = cloudevent::read_batch(&bytes, TERMS) {
            prop_assert!((400..500).contains(&problem.status().as_u16()));
        }
        let mut lines = Lines::new(60);
        for piece in bytes.chunks(cut) {
            lines.push(Bytes::copy_from_slice(piece));
            while lines.next().is_some() {}
        }
        lines.finish();
        prop_assert!(lines.ended() <= bytes.len() as u64 + 1);
    }

    #[test]
    fn no_header_makes_the_binary_reader_fail_with_anything_but_a_problem(
        names in prop::collection::vec("ce-[a-z]{1,8}", 0..4),
        value in prop::collection::vec(0x20..=0xff_u8, 0..20),
        body in prop::collection::vec(any::<u8>(), 0..60),
        content_type in prop::option::of("[ -~]{0,30}"),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/"), ("ce-type", "t")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(value) = content_type {
            headers.insert("content-type", HeaderValue::try_from(value).unwrap());
        }
        for name in names {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(HeaderName::try_from(name).unwrap(), value);
            }
        }
        prop_assert!(is_told(&binary::read(&headers, &body.into(), TERMS)));
    }

    #[test]
    fn a_message_of_our_own_reads_back_the_same(
        data in json_value(), id in NAME, kind in NAME, key in prop::option::of(NAME),
    ) {
        let body = json!({"data": data, "id": id, "type": kind, "topic": "a.b"});
        let mut body = body.as_object().unwrap().clone();
        body.extend(key.clone().map(|key| ("key".to_owned(), key.into())));
        let message = plain::read(Value::Object(body).to_string().as_bytes(), TERMS).unwrap().message;
        let back = read_back(&message);
        prop_assert_eq!(&back["data"], &data);
        prop_assert_eq!(&back["id"], &json!(id));
        prop_assert_eq!(&back["type"], &json!(kind));
        prop_assert_eq!(back.get("partitionkey").cloned(), key.map(Value::from));
    }

    #[test]
    fn an_event_reads_back_the_same(
        data in json_value(),
        names in prop::collection::vec(NAME, 4),
        extensions in prop::collection::btree_map("x[a-z0-9]{1,10}", prop_oneof![
            NAME.prop_map(Value::from), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from),
        ], 0..4),
        bytes in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let mut event: Map<String, Value> = extensions.into_iter().collect();
        for (name, value) in ["id", "source", "type", "subject"].iter().zip(names) {
            event.insert((*name).to_owned(), value.into());
        }
        event.insert("specversion".to_owned(), "1.0".into());
        if let Some(bytes) = bytes {
            event.insert("datacontenttype".to_owned(), "application/octet-stream".into());
            event.insert("data_base64".to_owned(), BASE64_STANDARD.encode(bytes).into());
        } else {
            event.insert("datacontenttype".to_owned(), "application/json".into());
            event.insert("data".to_owned(), data);
        }
        let sent = Value::Object(event.clone());
        let message = cloudevent::read(sent.to_string().as_bytes(), TERMS).unwrap().message;
        let back = read_back(&message);
        for (name, value) in &event {
            prop_assert_eq!(&back[name], value, "{}", name);
        }
        // And once more: a delivery can be sent on.
        let again = cloudevent::read(&format::cloudevent(&message), TERMS);
        prop_assert!(again.is_ok() || again.unwrap_err().to_json()["errors"][0]["field"] != "data");
    }
}
