//! What becomes of each field of a request.

use crate::{forwarding, http1::fields::Field};

/// What becomes of a field.
pub(super) enum Kind {
    Other,
    Host,
    Length,
    Authorization,
    Connection,
    ForwardedFor,
    Forwarded,
    /// Only the gateway may say it.
    Reserved,
    Passed(Named),
}

/// A field that is passed on and looked at as well.
pub(super) enum Named {
    None,
    RequestId,
    Traceparent,
    AcceptEncoding,
    IdempotencyKey,
}

/// The fields of requests that are not plain.
const OTHERS: [&str; 12] = [
    "transfer-encoding",
    "content-encoding",
    "expect",
    "upgrade",
    "cookie",
    "origin",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
];
/// Media types of bodies that a service reads as they come.
const STREAMED: [&[u8]; 2] = [b"application/x-ndjson", b"application/grpc"];

pub(super) fn kind(field: &Field<'_>) -> Kind {
    match field.name.len() {
        4 if field.is("host") => return Kind::Host,
        9 if field.is("forwarded") => return Kind::Forwarded,
        10 if field.is("connection") => return Kind::Connection,
        11 if field.is("traceparent") => return Kind::Passed(Named::Traceparent),
        12 if field.is("x-request-id") => return Kind::Passed(Named::RequestId),
        12 if field.is("content-type") => {
            let begins = |kind: &&[u8]| {
                let begin = field.value.get(..kind.len());
                begin.is_some_and(|begin| begin.eq_ignore_ascii_case(kind))
            };
            if STREAMED.iter().any(begins) {
                return Kind::Other;
            }
        }
        13 if field.is("authorization") => return Kind::Authorization,
        14 if field.is("content-length") => return Kind::Length,
        15 if field.is("accept-encoding") => return Kind::Passed(Named::AcceptEncoding),
        15 if field.is("idempotency-key") => return Kind::Passed(Named::IdempotencyKey),
        15 if field.is("x-forwarded-for") => return Kind::ForwardedFor,
        _ => {}
    }
    if OTHERS
        .iter()
        .any(|other| other.len() == field.name.len() && field.is(other))
    {
        Kind::Other
    } else if forwarding::is_reserved(field.name) {
        Kind::Reserved
    } else {
        Kind::Passed(Named::None)
    }
}
