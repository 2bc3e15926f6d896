//! Messages as server-sent events (HTML standard, section 9.2). The id is the position in the log.
//!
//! What comes without data moves the reader's last id and shows no event: so a reader that came back finds
//! its place even if nothing was for it.

use std::io::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use pasar_contracts::api::relay::Format;

use super::cursor::Gap;
use crate::{format, message::Message};

/// One message as one event.
pub(crate) fn event(message: &Message, format: Format) -> Bytes {
    let encoded = format::encode(message, format).body;
    let mut event = Vec::with_capacity(encoded.len() + message.message_type.len() + 48);
    let _ = write!(event, "id: {}\nevent: ", message.position);
    // A type is one line; one that is not must not become fields of its own.
    event.extend(
        message
            .message_type
            .bytes()
            .map(|byte| if byte < b' ' { b' ' } else { byte }),
    );
    event.push(b'\n');
    match std::str::from_utf8(&encoded) {
        Ok(text) => data(&mut event, text),
        Err(_) => data(&mut event, &BASE64_STANDARD.encode(&encoded)),
    }
    event.push(b'\n');
    event.into()
}

/// Tells that messages are missing, and from where it goes on.
pub(crate) fn gap(gap: Gap) -> Bytes {
    let Gap { after, upto } = gap;
    format!("id: {upto}\nevent: gap\ndata: {{\"after\":{after},\"upto\":{upto}}}\n\n").into()
}

/// Shows that the stream lives and how far it is.
pub(crate) fn heartbeat(position: i64) -> Bytes {
    format!(":\nid: {position}\n\n").into()
}

/// A line for each line of the text: CRLF, LF and CR all end one.
fn data(event: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(&rest.as_bytes()[..end]);
        event.push(b'\n');
        if end == rest.len() {
            return;
        }
        let ending = if rest[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + ending..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> String {
        let mut event = Vec::new();
        data(&mut event, text);
        String::from_utf8(event).unwrap()
    }

    #[test]
    fn every_kind_of_line_ending_begins_a_line_of_data() {
        assert_eq!(lines("a"), "data: a\n");
        assert_eq!(
            lines("a\nb\r\nc\rd"),
            "data: a\ndata: b\ndata: c\ndata: d\n"
        );
        assert_eq!(lines("a\n"), "data: a\ndata: \n");
        assert_eq!(lines("\r\r\n"), "data: \ndata: \ndata: \n");
        assert_eq!(lines(""), "data: \n");
    }
}
