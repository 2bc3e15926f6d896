//! A message as a WebSocket frame says it. Only its beginning differs between subscriptions.

use bytes::Bytes;
use pasar_contracts::api::relay::Format;

use crate::{format, message::Message};

pub(super) fn begin(subscription: &str) -> Vec<u8> {
    let mut begin = br#"{"message":{"subscription":"#.to_vec();
    string(&mut begin, subscription);
    begin
}

pub(super) fn rest(message: &Message, format: Format) -> Bytes {
    let mut rest = format!(r#","position":{},"topic":"#, message.position).into_bytes();
    string(&mut rest, &message.topic);
    rest.extend_from_slice(br#","type":"#);
    string(&mut rest, &message.message_type);
    let body = format::encode(message, format).body;
    match format {
        Format::Cloudevents => member(&mut rest, "event", &body),
        Format::Data if message.is_json() => member(&mut rest, "data", &body),
        Format::Data | Format::Raw => match std::str::from_utf8(&body) {
            Ok(text) => text_member(&mut rest, "text", text),
            Err(_) => {
                use base64::{Engine as _, prelude::BASE64_STANDARD};
                text_member(&mut rest, "data_base64", &BASE64_STANDARD.encode(&body));
            }
        },
    }
    rest.extend_from_slice(b"}}");
    rest.into()
}

fn member(json: &mut Vec<u8>, name: &str, value: &[u8]) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    json.extend_from_slice(value);
}

fn text_member(json: &mut Vec<u8>, name: &str, value: &str) {
    member(json, name, b"");
    string(json, value);
}

fn string(json: &mut Vec<u8>, text: &str) {
    use serde::Serialize as _;
    text.serialize(&mut serde_json::Serializer::new(json))
        .expect("text is written to memory");
}
