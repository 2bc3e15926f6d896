//! The head of a plain request: read once, and in the same pass made into what the service is sent.

use std::ops::Range;

use http::Method;

use super::kind::{Kind, Named, kind};
use crate::{
    config::Limits,
    http1::fields::{self, Lines, Unread},
};

/// A request's head, as places in the bytes that it was read from.
pub(super) struct Head {
    pub(super) method: Method,
    /// How many bytes it has, up to the body.
    pub(super) bytes: usize,
    /// How many bytes the body has.
    pub(super) body: usize,
    pub(super) target: Range<usize>,
    /// Where the query begins, or the target ends.
    pub(super) path_end: usize,
    pub(super) authorization: Authorization,
    pub(super) request_id: Option<Range<usize>>,
    pub(super) traceparent: Option<Range<usize>>,
    pub(super) accept_encoding: Option<Range<usize>>,
    /// What proxies say of whom they ask for.
    pub(super) forwarded_for: Vec<Range<usize>>,
    pub(super) is_forwarded: bool,
    pub(super) has_idempotency_key: bool,
    /// The client wants the connection closed after the answer.
    pub(super) closes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    One(Range<usize>),
    Several,
}

/// What was found at the beginning of some bytes.
pub(super) enum Reading {
    Plain(Head),
    Partial,
    /// Something else, or nothing that can be read in one way only.
    Other,
}

/// Bodies up to this are read before they are sent, so that they can be sent again.
const MOST_BODY_BYTES: u64 = 64 * 1024;
/// Where calls begin that the gateway has a part in: logins, sessions of pages.
const OWN_PATHS: &str = "/v1/auth";

/// Reads a head. The fields that the service is to be told are written to `passed`.
pub(super) fn read(bytes: &[u8], limits: &Limits, passed: &mut Vec<u8>) -> Reading {
    passed.clear();
    match read_strictly(bytes, limits, passed) {
        Ok(head) => Reading::Plain(head),
        // Where a request line has not come whole, it may become anything.
        Err(Unread::Partial) if bytes.len() <= limits.uri_bytes + limits.header_bytes => {
            Reading::Partial
        }
        Err(Unread::Partial | Unread::Malformed) => Reading::Other,
    }
}

fn read_strictly(bytes: &[u8], limits: &Limits, passed: &mut Vec<u8>) -> Result<Head, Unread> {
    let base = bytes.as_ptr().addr();
    let place = |part: &[u8]| {
        let from = part.as_ptr().addr() - base;
        from..from + part.len()
    };
    // What no method of ours begins with need not be waited for.
    if bytes.first().is_some_and(|byte| !b"GPD".contains(byte)) {
        return Err(Unread::Malformed);
    }
    let mut lines = Lines::new(bytes);
    let (method, target) = request_line(lines.line()?, limits)?;
    let path_end = target.iter().position(|byte| *byte == b'?');
    let target = place(target);
    let mut head = Head {
        method,
        bytes: 0,
        body: 0,
        path_end: path_end.map_or(target.end, |end| target.start + end),
        target,
        authorization: Authorization::None,
        request_id: None,
        traceparent: None,
        accept_encoding: None,
        forwarded_for: Vec::new(),
        is_forwarded: false,
        has_idempotency_key: false,
        closes: false,
    };
    let (mut hosts, mut length, mut count, mut size) = (0, None, 0, 0);
    while let Some(field) = lines.field()? {
        count += 1;
        size += field.name.len() + field.value.len();
        if count > limits.headers || size > limits.header_bytes {
            return Err(Unread::Malformed);
        }
        match kind(&field) {
            Kind::Other => return Err(Unread::Malformed),
            Kind::Host => hosts += 1,
            Kind::Length => {
                let said = fields::length(field.value).ok_or(Unread::Malformed)?;
                if length.replace(said).is_some() {
                    return Err(Unread::Malformed);
                }
            }
            Kind::Authorization => {
                head.authorization = match head.authorization {
                    Authorization::None => Authorization::One(place(field.value)),
                    Authorization::One(_) | Authorization::Several => Authorization::Several,
                };
            }
            Kind::Connection => {
                head.closes = field.value.eq_ignore_ascii_case(b"close");
                if !head.closes && !field.value.eq_ignore_ascii_case(b"keep-alive") {
                    return Err(Unread::Malformed);
                }
            }
            Kind::ForwardedFor => {
                head.is_forwarded = true;
                head.forwarded_for.push(place(field.value));
            }
            Kind::Forwarded => head.is_forwarded = true,
            Kind::Reserved => {}
            Kind::Passed(named) => {
                let known = match named {
                    Named::RequestId => Some(&mut head.request_id),
                    Named::Traceparent => Some(&mut head.traceparent),
                    Named::AcceptEncoding => Some(&mut head.accept_encoding),
                    Named::IdempotencyKey => {
                        head.has_idempotency_key = true;
                        None
                    }
                    Named::None => None,
                };
                if let Some(known) = known {
                    // As of all others, the first is the one that counts.
                    known.get_or_insert_with(|| place(field.value));
                }
                passed.extend_from_slice(field.line);
            }
        }
    }
    let body = length.unwrap_or(0);
    if hosts != 1 || body > MOST_BODY_BYTES.min(limits.body_bytes) {
        return Err(Unread::Malformed);
    }
    if length.is_some() || head.method != Method::GET && head.method != Method::DELETE {
        fields::write(passed, "content-length", body.to_string().as_bytes());
    }
    head.bytes = lines.at();
    head.body = usize::try_from(body).map_err(|_| Unread::Malformed)?;
    Ok(head)
}

/// The method and the target: a path and perhaps a query, of bytes that mean the same to everybody.
fn request_line<'b>(line: &'b [u8], limits: &Limits) -> Result<(Method, &'b [u8]), Unread> {
    let line = line.strip_suffix(b" HTTP/1.1").ok_or(Unread::Malformed)?;
    let space = line.iter().position(|byte| *byte == b' ');
    let (method, target) = line.split_at(space.ok_or(Unread::Malformed)?);
    let method = match method {
        b"GET" => Method::GET,
        b"POST" => Method::POST,
        b"PUT" => Method::PUT,
        b"PATCH" => Method::PATCH,
        b"DELETE" => Method::DELETE,
        _ => return Err(Unread::Malformed),
    };
    let target = &target[1..];
    let is_ours = target.starts_with(OWN_PATHS.as_bytes());
    let is_plain = target.first() == Some(&b'/')
        && target.len() <= limits.uri_bytes
        && target.iter().all(|byte| is_of_a_target(*byte));
    if !is_plain || is_ours {
        return Err(Unread::Malformed);
    }
    Ok((method, target))
}

/// RFC 3986: what is unreserved, the delimiters of parts and within them, and the percent sign.
const fn is_of_a_target(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
                | b'?'
                | b'%'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET /v1/orders?limit=2 HTTP/1.1\r\nHost: pasar\r\n\r\n";

    /// The head of what is plain, and what the service is told.
    fn read_text(text: &str) -> Option<(Head, String)> {
        let mut passed = Vec::new();
        match read(text.as_bytes(), &Limits::default(), &mut passed) {
            Reading::Plain(head) => Some((head, String::from_utf8(passed).unwrap())),
            Reading::Partial => panic!("{text:?} is not whole"),
            Reading::Other => None,
        }
    }

    fn with(line: &str) -> String {
        PLAIN.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1)
    }

    #[test]
    fn places_are_where_the_bytes_are() {
        let text =
            with("authorization: Bearer abc\r\nX-Request-Id: mine\r\nContent-Length: 2") + "hi";
        let (head, passed) = read_text(&text).unwrap();
        assert_eq!(&text[head.target.clone()], "/v1/orders?limit=2");
        assert_eq!(&text[head.target.start..head.path_end], "/v1/orders");
        assert_eq!(&text[head.request_id.unwrap()], "mine");
        let Authorization::One(place) = head.authorization else {
            panic!("one authorization");
        };
        assert_eq!(&text[place], "Bearer abc");
        assert_eq!((&text[head.bytes..], head.body), ("hi", 2));
        assert_eq!(passed, "X-Request-Id: mine\r\ncontent-length: 2\r\n");
    }

    #[test]
    fn a_head_is_partial_until_its_last_byte() {
        for end in 0..PLAIN.len() {
            let read = read(
                &PLAIN.as_bytes()[..end],
                &Limits::default(),
                &mut Vec::new(),
            );
            assert!(matches!(read, Reading::Partial), "{end}");
        }
        assert!(read_text(PLAIN).is_some());
    }

    #[test]
    fn a_body_is_said_where_one_is_expected() {
        let passed = |text: &str| read_text(text).unwrap().1;
        assert_eq!(passed(PLAIN), "");
        assert_eq!(
            passed(&PLAIN.replacen("GET", "POST", 1)),
            "content-length: 0\r\n"
        );
        assert_eq!(passed(&PLAIN.replacen("GET", "DELETE", 1)), "");
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_others() {
        for line in [
            "Transfer-Encoding: chunked",
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: +1",
            "Content-Length: 65537",
            "Host: again",
            "Connection: upgrade",
            "Connection: close, x",
            "Upgrade: websocket",
            "Expect: 100-continue",
            "Cookie: a=b",
            "Origin: https://kopi.example",
            "TE: trailers",
            "Content-Encoding: gzip",
            "Content-Type: application/x-ndjson; x",
            "Content-Type: application/grpc+proto",
            "No colon",
            "Space : a",
            " folded",
            "A: b\n C: d",
        ] {
            assert!(read_text(&with(line)).is_none(), "{line:?}");
        }
        for text in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET /v1/orders HTTP/1.0\r\nHost: pasar\r\n\r\n",
            "GET /v1/orders HTTP/1.1\r\n\r\n",
            "GET http://pasar/v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "GET /v1/orders#a HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "GET /v1/or ders HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "GET  /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "GET /v1/orders HTTP/1.1 \r\nHost: pasar\r\n\r\n",
            "GET /v1/orders HTTP/1.1\nHost: pasar\r\n\r\n",
            "get /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "POST /v1/auth/login HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "OPTIONS /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
            "\r\nGET /v1/orders HTTP/1.1\r\nHost: pasar\r\n\r\n",
        ] {
            assert!(read_text(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_left_to_whoever_says_so() {
        let long = PLAIN.replacen("limit=2", &"a".repeat(9_000), 1);
        let many = with(&vec!["a: b"; 100].join("\r\n"));
        let wide = with(&format!("a: {}", "b".repeat(20_000)));
        for text in [long, many, wide] {
            assert!(read_text(&text).is_none(), "{}", text.len());
        }
        let endless = format!("{}{}", with("a: b").trim_end(), "c".repeat(100_000));
        assert!(read_text(&endless).is_none());
    }

    #[test]
    fn several_authorizations_are_told_from_one() {
        let (head, passed) = read_text(&with("Authorization: a\r\nAUTHORIZATION: b")).unwrap();
        assert_eq!(head.authorization, Authorization::Several);
        assert_eq!(passed, "");
    }

    #[test]
    fn what_proxies_say_is_kept_from_the_service() {
        let (head, passed) = read_text(&with("X-Forwarded-For: a, b\r\nx-pasar-user: c")).unwrap();
        assert!(head.is_forwarded && head.forwarded_for.len() == 1);
        assert_eq!(passed, "");
        assert!(read_text(&with("Forwarded: for=a")).unwrap().0.is_forwarded);
    }
}
