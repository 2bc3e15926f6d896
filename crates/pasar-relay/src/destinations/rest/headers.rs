//! The headers of a delivery: whose it is, when, signed; and the message's attributes where the body is only
//! its data (CloudEvents HTTP binding 1.0.2, binary mode).

use std::fmt::Write as _;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_TYPE, USER_AGENT},
};
use pasar_chassis::signature::{self, Secret};

use crate::{destination::Parcel, destinations::attributes::attributes};

const US: HeaderValue = HeaderValue::from_static(concat!("pasar/", env!("CARGO_PKG_VERSION")));
/// What structured CloudEvents begin with: attributes stand in the body.
const STRUCTURED: &str = "application/cloudevents";
const ID: HeaderName = HeaderName::from_static(signature::ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(signature::TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(signature::SIGNATURE);

pub(super) fn headers(own: &HeaderMap, secrets: &[Secret], parcel: &Parcel) -> HeaderMap {
    let mut headers = own.clone();
    headers.reserve(8);
    headers.insert(USER_AGENT, US);
    insert(&mut headers, CONTENT_TYPE, &parcel.content_type);
    let id = encoded(&parcel.message.id);
    let signatures: Vec<_> = secrets
        .iter()
        .map(|secret| signature::sign(secret, &id, parcel.at, &parcel.body))
        .collect();
    insert(&mut headers, ID, &id);
    headers.insert(TIMESTAMP, signature::seconds(parcel.at).into());
    if !signatures.is_empty() {
        insert(&mut headers, SIGNATURE, &signatures.join(" "));
    }
    if !parcel.content_type.starts_with(STRUCTURED) {
        for (name, value) in attributes(&parcel.message) {
            // Names of attributes are lower-case letters and digits.
            if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
                insert(&mut headers, name, &encoded(&value));
            }
        }
    }
    headers
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// As the CloudEvents binding says: spaces, double quotes, percent signs and all that is not printable ASCII
/// are percent-encoded. An id of other characters is sent, and signed, in this form.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_may_hold_is_percent_encoded() {
        assert_eq!(encoded("msg_01-a.b~c"), "msg_01-a.b~c");
        assert_eq!(
            encoded("Euro € \"100%\"\r\n"),
            "Euro%20%E2%82%AC%20%22100%25%22%0D%0A"
        );
    }
}
