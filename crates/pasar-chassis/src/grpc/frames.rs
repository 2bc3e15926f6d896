//! Messages on the wire: a flag, the length in four bytes, the message.

use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::{BodyExt, Limited};
use pasar_contracts::problem::ProblemType;
use prost::Message;

use super::is_grpc;
use crate::problem::Problem;

/// The flag and the length.
pub const PREFIX_BYTES: usize = 5;
/// A message that takes longer to arrive is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The one message of a request.
pub async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    if !is_grpc(headers) {
        return Err(Problem::new(ProblemType::UnsupportedMediaType)
            .detail("this is a gRPC method: the body must be application/grpc"));
    }
    let whole = Limited::new(body, most + PREFIX_BYTES).collect();
    let whole = tokio::time::timeout(PATIENCE, whole).await.map_err(|_| {
        Problem::new(ProblemType::RequestTimeout).detail(format!(
            "the message did not arrive within {} s",
            PATIENCE.as_secs()
        ))
    })?;
    let mut whole = whole.map_err(|_| too_large(most))?.to_bytes();
    if whole.len() < PREFIX_BYTES {
        return Err(malformed("the message is missing"));
    }
    if whole.get_u8() != 0 {
        return Err(malformed("compressed messages are not accepted"));
    }
    let length = usize::try_from(whole.get_u32()).unwrap_or(usize::MAX);
    if length != whole.len() {
        return Err(malformed("expected exactly one message"));
    }
    Ok(whole)
}

/// What stands before a message of so many bytes.
#[must_use]
pub fn prefix(length: usize) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// A message with what stands before it.
pub(super) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.extend_from_slice(&prefix(length));
    message
        .encode(&mut frame)
        .expect("a buffer grows as it is written");
    frame.freeze()
}

/// The messages of a request that sends several, each of so many bytes at most.
pub(super) struct Incoming {
    body: Body,
    waiting: BytesMut,
    most: usize,
}

impl Incoming {
    pub(super) fn new(body: Body, most: usize) -> Self {
        Self {
            body,
            waiting: BytesMut::new(),
            most,
        }
    }

    /// The next message; `None` after the last.
    pub(super) async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, Problem> {
        loop {
            if let Some(message) = self.take()? {
                return M::decode(message)
                    .map(Some)
                    .map_err(|error| undecodable(&error));
            }
            let Some(frame) = self.body.frame().await else {
                return if self.waiting.is_empty() {
                    Ok(None)
                } else {
                    Err(malformed("the last message is not whole"))
                };
            };
            let frame = frame.map_err(|_| malformed("the messages did not arrive whole"))?;
            if let Ok(data) = frame.into_data() {
                self.waiting.extend_from_slice(&data);
            }
        }
    }

    fn take(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some((prefix, _)) = self.waiting.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let [flag, a, b, c, d] = *prefix;
        if flag != 0 {
            return Err(malformed("compressed messages are not accepted"));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.most {
            return Err(too_large(self.most));
        }
        if self.waiting.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.waiting.advance(PREFIX_BYTES);
        Ok(Some(self.waiting.split_to(length).freeze()))
    }
}

pub(super) fn undecodable(error: &prost::DecodeError) -> Problem {
    Problem::new(ProblemType::InvalidRequest)
        .detail(format!("the message is not the method's: {error}"))
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(ProblemType::InvalidRequest).detail(detail)
}

fn too_large(most: usize) -> Problem {
    Problem::new(ProblemType::PayloadTooLarge)
        .detail(format!("a message may have at most {most} bytes"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::CONTENT_TYPE};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    async fn read_bytes(bytes: &'static [u8]) -> Result<Bytes, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/grpc+proto"),
        );
        read(&headers, Body::from(bytes), 4)
            .await
            .map_err(|problem| problem.status().as_u16())
    }

    #[tokio::test]
    async fn exactly_one_message_is_read() {
        assert_eq!(read_bytes(b"\0\0\0\0\x02ab").await.unwrap(), "ab");
        assert_eq!(read_bytes(b"\0\0\0\0\0").await.unwrap(), "");
        for bad in [&b""[..], b"\0\0\0", b"\x01\0\0\0\x01a", b"\0\0\0\0\x02a"] {
            assert_eq!(read_bytes(bad).await, Err(400));
        }
        assert_eq!(read_bytes(b"\0\0\0\0\x05abcde").await, Err(413));
    }

    /// `String` is the message of one string with tag 1.
    #[tokio::test]
    async fn several_messages_are_read_however_they_are_cut() {
        let bytes: &[u8] = b"\0\0\0\0\x03\x0a\x01a\0\0\0\0\0\0\0\0\0\x03\x0a\x01b";
        for cut in 0..bytes.len() {
            let pieces = [&bytes[..cut], &bytes[cut..]];
            let frames = pieces.map(|piece| {
                Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(piece)))
            });
            let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
            let mut incoming = Incoming::new(body, 3);
            for expected in ["a", "", "b"] {
                let message: String = incoming.next().await.unwrap().unwrap();
                assert_eq!(message, expected, "cut at {cut}");
            }
            assert!(incoming.next::<String>().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_message_among_several_has_a_limit_and_must_be_whole() {
        for bad in [
            &b"\0\0\0\0\x04"[..],
            b"\0\0\0\0\x03a",
            b"\x01\0\0\0\0",
            b"\0\0",
        ] {
            let mut incoming = Incoming::new(Body::from(bad), 3);
            assert!(incoming.next::<String>().await.is_err(), "{bad:?}");
        }
    }
}
