//! An answer that came by a wire: its head as it was read, and its body as far as it has come.

use axum::{body::Body, response::Response};
use http::{HeaderName, StatusCode};
use pasar_chassis::problem::MEDIA_TYPE;

use super::{
    EVENT_STREAM, fields::OF_ONE_CONNECTION, instance::InFlight, wire::Wire, wire_body::WireBody,
};
use crate::http1::{
    chunks::Chunks,
    fields::{self, Field, Lines, Unread},
};

/// What is to be known of an answer's head.
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    /// How many bytes it has, up to the body.
    pub(super) bytes: usize,
    framing: Framing,
    /// The instance closes the connection after it.
    closes: bool,
    is_problem: bool,
    is_event_stream: bool,
    /// The instance does not accept who this gateway says it is.
    pub(super) is_refused: bool,
    names: Names,
    /// What it says of the connection: names of fields that are of this hop alone.
    connection: Vec<u8>,
}

/// Which fields it has that the gateway would write if it had none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Names {
    pub(crate) content_security_policy: bool,
    pub(crate) cache_control: bool,
    pub(crate) date: bool,
    /// Some that are better looked at one by one.
    pub(crate) others: bool,
}

/// Where an answer's body ends (RFC 9112, section 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// An answer on its way to the client.
pub(crate) struct Passed {
    head: AnswerHead,
    wire: Wire,
    in_flight: InFlight,
}

/// Bodies up to this are passed on in one piece.
const WHOLE_BYTES: u64 = 64 * 1024;

impl AnswerHead {
    /// Reads a head; the fields that are passed on are written to `passed`.
    pub(super) fn read(bytes: &[u8], passed: &mut Vec<u8>) -> Result<Self, Unread> {
        passed.clear();
        let mut lines = Lines::new(bytes);
        let status = status(lines.line()?)?;
        let mut head = Self {
            status,
            bytes: 0,
            framing: Framing::UntilClose,
            closes: false,
            is_problem: false,
            is_event_stream: false,
            is_refused: false,
            names: Names::default(),
            connection: Vec::new(),
        };
        let (mut length, mut is_chunked) = (None, false);
        while let Some(field) = lines.field()? {
            if field.is("content-length") {
                let said = fields::length(field.value).ok_or(Unread::Malformed)?;
                if length.replace(said).is_some_and(|before| before != said) {
                    return Err(Unread::Malformed);
                }
            } else if field.is("transfer-encoding") {
                if is_chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Unread::Malformed);
                }
                is_chunked = true;
            } else if head.note(&field) {
                passed.extend_from_slice(field.line);
            }
        }
        head.bytes = lines.at();
        head.framing = match length {
            _ if matches!(status.as_u16(), 204 | 304) || status.is_informational() => {
                Framing::Length(0)
            }
            Some(_) if is_chunked => return Err(Unread::Malformed),
            Some(length) => Framing::Length(length),
            None if is_chunked => Framing::Chunked(Chunks::default()),
            None => Framing::UntilClose,
        };
        Ok(head)
    }

    /// Looks at a field. Whether it is passed on.
    fn note(&mut self, field: &Field<'_>) -> bool {
        match field.name.len() {
            4 if field.is("date") => self.names.date = true,
            10 if field.is("connection") => {
                let stays = field.value.eq_ignore_ascii_case(b"keep-alive");
                self.closes |= !stays;
                if !stays && !field.value.eq_ignore_ascii_case(b"close") {
                    // Fields that it names end here as well.
                    self.names.others = true;
                    self.connection.extend_from_slice(field.value);
                    self.connection.push(b',');
                }
            }
            12 if field.is("content-type") => {
                self.is_problem = field.value == MEDIA_TYPE.as_bytes();
                self.is_event_stream = field.value.starts_with(EVENT_STREAM);
            }
            13 if field.is("cache-control") => self.names.cache_control = true,
            23 if field.is("content-security-policy") => self.names.content_security_policy = true,
            22 if field.is("pasar-identity-refused") => self.is_refused = field.value == b"true",
            // The gateway says these itself, always or at times.
            10 if field.is("pasar-flow") => return false,
            12 if field.is("x-request-id") => return false,
            15 if field.is("referrer-policy") => return false,
            22 if field.is("x-content-type-options") => return false,
            9 if field.is("ratelimit") => self.names.others = true,
            16 if field.is("ratelimit-policy") => self.names.others = true,
            25 if field.is("strict-transport-security") => self.names.others = true,
            _ if field.begins("access-control-") => self.names.others = true,
            _ => {}
        }
        let is_of_connection = |name: &HeaderName| field.is(name.as_str());
        !OF_ONE_CONNECTION.iter().any(is_of_connection)
    }
}

impl Passed {
    pub(super) const fn new(head: AnswerHead, wire: Wire, in_flight: InFlight) -> Self {
        Self {
            head,
            wire,
            in_flight,
        }
    }

    pub(super) const fn head(&self) -> &AnswerHead {
        &self.head
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) const fn names(&self) -> Names {
        self.head.names
    }

    /// The fields that are passed on, as lines.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.wire.lines
    }

    /// How long the body is, if the answer can be passed on as it is and in one piece.
    pub(crate) fn as_it_is(&self) -> Option<u64> {
        let status = self.head.status;
        let is_failure = status.is_client_error() || status.is_server_error();
        let is_ours = self.head.names.others || (is_failure && !self.head.is_problem);
        match self.head.framing {
            Framing::Length(length) if length <= WHOLE_BYTES && !is_ours => Some(length),
            _ => None,
        }
    }

    /// Waits for the body of an answer of a known length and writes it out. Whether it came whole.
    pub(crate) async fn write_body(mut self, out: &mut Vec<u8>) -> bool {
        let Framing::Length(length) = self.head.framing else {
            return false;
        };
        let begin = self.head.bytes;
        let end = begin + usize::try_from(length).unwrap_or(usize::MAX / 2);
        while self.wire.input.len() < end {
            if !matches!(self.wire.read().await, Ok(1..)) {
                return false;
            }
        }
        out.extend_from_slice(&self.wire.input[begin..end]);
        self.wire.input.drain(..end);
        if !self.head.closes {
            self.wire.put_back(self.in_flight.instance());
        }
        true
    }

    /// The answer as others take it.
    pub(crate) fn into_response(self) -> Response {
        let Self {
            head,
            mut wire,
            in_flight,
        } = self;
        let mut headers = fields::map(&wire.lines);
        for name in head.connection.split(|byte| *byte == b',') {
            if let Ok(name) = HeaderName::from_bytes(name.trim_ascii()) {
                headers.remove(name);
            }
        }
        wire.input.drain(..head.bytes);
        let body = WireBody::new(wire, head.framing, head.closes, in_flight);
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers;
        response
    }
}

/// The status of a status line.
fn status(line: &[u8]) -> Result<StatusCode, Unread> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").ok_or(Unread::Malformed)?;
    let (code, reason) = rest.split_at_checked(3).ok_or(Unread::Malformed)?;
    if !matches!(reason.first(), None | Some(b' ')) {
        return Err(Unread::Malformed);
    }
    StatusCode::from_bytes(code).map_err(|_| Unread::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<(AnswerHead, String), Unread> {
        let mut lines = Vec::new();
        let head = AnswerHead::read(head.as_bytes(), &mut lines)?;
        Ok((head, String::from_utf8(lines).unwrap()))
    }

    #[test]
    fn fields_of_this_hop_and_of_the_gateway_are_left_out() {
        let (head, lines) = read(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nKeep-Alive: timeout=5\r\nPasar-Flow: x\r\n\
             ETag: \"1\"\r\nContent-Length: 2\r\n\r\nhi",
        )
        .ok()
        .unwrap();
        assert_eq!(lines, "Content-Type: text/plain\r\nETag: \"1\"\r\n");
        assert_eq!(head.status, 200);
        assert!(matches!(head.framing, Framing::Length(2)));
        assert!(!head.closes && !head.names.others);
    }

    #[test]
    fn where_the_body_ends_is_told_by_status_length_or_chunks() {
        let framing = |head: &str| format!("{:?}", read(head).ok().unwrap().0.framing);
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n"), "UntilClose");
        assert_eq!(framing("HTTP/1.1 204 No Content\r\n\r\n"), "Length(0)");
        assert_eq!(
            framing("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n"),
            "Length(0)"
        );
        let chunked = framing("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n");
        assert!(chunked.starts_with("Chunked"), "{chunked}");
    }

    #[test]
    fn an_answer_that_could_be_read_in_two_ways_is_none() {
        for head in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ] {
            assert_eq!(read(head).err(), Some(Unread::Malformed), "{head:?}");
        }
    }
}
