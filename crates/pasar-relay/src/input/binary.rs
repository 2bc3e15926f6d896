//! A CloudEvent in binary mode: the body is the data, headers are the attributes (CloudEvents HTTP binding
//! 1.0.2, section 3.1).

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};
use pasar_chassis::problem::Problem;
use serde_json::value::RawValue;

use super::{
    cloudevent::{Event, check_bytes, is_plain_json},
    data,
    draft::Terms,
    media_type,
};
use crate::commands::append_messages::NewMessage;

const PREFIX: &str = "ce-";

pub(crate) fn read(
    headers: &HeaderMap,
    body: &Bytes,
    terms: Terms<'_>,
) -> Result<NewMessage, Problem> {
    data::check_size(body.len(), terms)?;
    let mut event = Event::default();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let mut values = headers.get_all(name).iter();
        let value = values.next().map(http::HeaderValue::as_bytes);
        let text = value
            .filter(|_| values.next().is_none())
            .and_then(decode)
            .ok_or_else(|| {
                let why = "expected one value, in visible ASCII or percent-encoded UTF-8";
                Problem::invalid_field(name.as_str(), why)
            })?;
        take(&mut event, attribute, text)
            .map_err(|why| Problem::invalid_field(name.as_str(), why))?;
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().map(Box::<str>::from))
        .transpose()
        .map_err(|_| Problem::invalid_field("content-type", "expected visible ASCII"))?
        .filter(|kind| !kind.is_empty());
    let mut new = event.into_message(terms)?;
    let expects_json = content_type.as_deref().is_none_or(media_type::is_json);
    let empty = body.is_empty();
    if expects_json && !empty {
        check_bytes("data", body)?;
    }
    let message = std::sync::Arc::make_mut(&mut new.message);
    message.data = match (expects_json, empty) {
        (true, true) => Bytes::from_static(b"null"),
        _ => Bytes::copy_from_slice(body),
    };
    message.content_type = content_type.filter(|kind| !is_plain_json(kind));
    if message
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.len() > MAX_CONTENT_TYPE)
    {
        let why = format!("expected at most {MAX_CONTENT_TYPE} bytes");
        return Err(Problem::invalid_field("content-type", why));
    }
    Ok(new)
}

const MAX_CONTENT_TYPE: usize = pasar_contracts::api::relay::MAX_NAME_BYTES;

fn take(event: &mut Event<'_>, attribute: &str, text: String) -> Result<(), String> {
    // Content-Type says it; and data is the body.
    if matches!(
        attribute,
        "datacontenttype" | "data" | "data_base64" | "database64"
    ) {
        return Err("expected no such attribute in binary mode".to_owned());
    }
    if text.contains('\0') {
        return Err("a text may not contain NUL characters".to_owned());
    }
    if let Some(place) = event.place(attribute) {
        *place = Some(text.into());
        return Ok(());
    }
    let json: Box<RawValue> =
        serde_json::value::to_raw_value(&text).map_err(|_| "expected a text".to_owned())?;
    event.extensions.add(attribute, &json)
}

/// Percent-decoding (section 3.1.3.2); a pair of quotes around the value is taken off.
fn decode(value: &[u8]) -> Option<String> {
    let value = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            (b'%', _) => return None,
            (0x20..=0x7e, after) => {
                bytes.push(*first);
                rest = after;
            }
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::input::draft::tests::{TERMS, refused_field};

    fn read_event(
        more: &[(&'static str, &str)],
        body: &'static [u8],
    ) -> Result<NewMessage, Problem> {
        let mut headers = HeaderMap::new();
        let event = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
        ];
        for (name, value) in event.iter().chain(more) {
            let value = HeaderValue::try_from(*value).unwrap();
            headers.insert(HeaderName::from_static(name), value);
        }
        read(&headers, &Bytes::from_static(body), TERMS)
    }

    #[test]
    fn headers_are_attributes_and_the_body_is_data() {
        let more = [
            ("content-type", "text/plain; charset=utf-8"),
            ("ce-subject", "caf%C3%A9 %25"),
            ("ce-partitionkey", "k"),
            ("ce-priority", "3"),
        ];
        let message = read_event(&more, b"halo").unwrap().message;
        assert_eq!(message.subject.as_deref(), Some("café %"));
        assert_eq!(message.key.as_deref(), Some("k"));
        assert_eq!(message.extensions.as_deref(), Some(r#"{"priority":"3"}"#));
        assert_eq!(
            message.content_type.as_deref(),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(message.data, "halo");
    }

    #[test]
    fn json_is_stored_as_json_and_must_be_some() {
        let typed = [("content-type", "application/json")];
        let message = read_event(&typed, b"{\"a\":1}").unwrap().message;
        assert!(message.content_type.is_none());
        assert_eq!(message.data, "{\"a\":1}");
        assert_eq!(read_event(&[], b"").unwrap().message.data, "null");
        assert_eq!(refused_field(read_event(&typed, b"{")), "data");
        assert_eq!(refused_field(read_event(&typed, b"\"\xff\"")), "data");
        let bytes = [("content-type", "application/octet-stream")];
        let message = read_event(&bytes, b"\xff\x00").unwrap().message;
        assert_eq!(&message.data[..], b"\xff\x00");
    }

    #[test]
    fn the_header_at_fault_is_named() {
        for (name, value) in [
            ("ce-subject", "%zz"),
            ("ce-subject", "%C3"),
            ("ce-subject", "%"),
            ("ce-subject", "a%00"),
            ("ce-datacontenttype", "text/plain"),
            ("ce-not-one", "a"),
        ] {
            assert_eq!(
                refused_field(read_event(&[(name, value)], b"1")),
                name,
                "{value}"
            );
        }
        assert_eq!(
            refused_field(read_event(&[("ce-time", "soon")], b"1")),
            "time"
        );
    }
}
