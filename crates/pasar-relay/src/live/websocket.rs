//! WebSocket frames (RFC 6455), the server's side. It holds no more of a connection than a part of a frame.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Reads what a client sends, in whatever pieces it comes.
#[derive(Default)]
pub(crate) struct Decoder {
    unread: BytesMut,
    /// The parts so far of a message that came in several frames.
    text: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Ping(Bytes),
    Pong,
    Close,
}

/// Why a connection is closed; the numbers are the protocol's (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Close {
    Normal = 1000,
    GoingAway = 1001,
    Protocol = 1002,
    NotText = 1003,
    NotUtf8 = 1007,
    Policy = 1008,
    TooLarge = 1009,
    Internal = 1011,
}

/// Bytes of one message of a client, all its frames together.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
const MAX_CONTROL_BYTES: usize = 125;
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The head of a frame: what is said before the payload.
struct Head {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    bytes: usize,
    payload: usize,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The next whole message or control frame, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Close> {
        loop {
            let Some(head) = head(&self.unread)? else {
                return Ok(None);
            };
            self.check(&head)?;
            if self.unread.len() < head.bytes + head.payload {
                return Ok(None);
            }
            self.unread.advance(head.bytes);
            let mut payload = self.unread.split_to(head.payload);
            for (byte, key) in payload.iter_mut().zip(head.mask.iter().cycle()) {
                *byte ^= key;
            }
            if self.unread.is_empty() {
                // An idle connection keeps no buffer.
                self.unread = BytesMut::new();
            }
            if let Some(incoming) = self.take(&head, payload.freeze())? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Refuses by the head alone what must not be read further.
    fn check(&self, head: &Head) -> Result<(), Close> {
        let in_parts = self.text.as_ref().map(Vec::len);
        match (head.opcode, in_parts) {
            (CLOSE | PING | PONG, _) if head.fin && head.payload <= MAX_CONTROL_BYTES => Ok(()),
            (TEXT, None) | (CONTINUATION, Some(_)) => {
                let most = MAX_MESSAGE_BYTES - in_parts.unwrap_or(0);
                if head.payload > most {
                    return Err(Close::TooLarge);
                }
                Ok(())
            }
            (BINARY, _) => Err(Close::NotText),
            _ => Err(Close::Protocol),
        }
    }

    fn take(&mut self, head: &Head, payload: Bytes) -> Result<Option<Incoming>, Close> {
        match head.opcode {
            CLOSE => Ok(Some(Incoming::Close)),
            PING => Ok(Some(Incoming::Ping(payload))),
            PONG => Ok(Some(Incoming::Pong)),
            _ => {
                let mut text = self.text.take().unwrap_or_default();
                text.extend_from_slice(&payload);
                if !head.fin {
                    self.text = Some(text);
                    return Ok(None);
                }
                let text = String::from_utf8(text).map_err(|_| Close::NotUtf8)?;
                Ok(Some(Incoming::Text(text)))
            }
        }
    }
}

fn head(unread: &[u8]) -> Result<Option<Head>, Close> {
    let mut rest = unread;
    if rest.len() < 2 {
        return Ok(None);
    }
    let (first, second) = (rest.get_u8(), rest.get_u8());
    if first & RESERVED != 0 || second & MASKED == 0 {
        return Err(Close::Protocol);
    }
    let payload = match second & !MASKED {
        126 if rest.len() < 2 => return Ok(None),
        126 => usize::from(rest.get_u16()),
        127 if rest.len() < 8 => return Ok(None),
        127 => usize::try_from(rest.get_u64()).unwrap_or(usize::MAX),
        short => usize::from(short),
    };
    let Some(mask) = rest.first_chunk() else {
        return Ok(None);
    };
    Ok(Some(Head {
        fin: first & FIN != 0,
        opcode: first & 0x0f,
        mask: *mask,
        bytes: unread.len() - rest.len() + mask.len(),
        payload,
    }))
}

/// A text message in one frame, of two parts.
pub(crate) fn text(begin: &[u8], rest: &[u8]) -> Bytes {
    let length = begin.len() + rest.len();
    let mut frame = BytesMut::with_capacity(length + 10);
    frame.put_u8(FIN | TEXT);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => frame.put_u8(short),
        (_, Ok(long)) => {
            frame.put_u8(126);
            frame.put_u16(long);
        }
        (_, Err(_)) => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    frame.put_slice(begin);
    frame.put_slice(rest);
    frame.freeze()
}

pub(crate) fn ping() -> Bytes {
    Bytes::from_static(&[FIN | PING, 0])
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    control(PONG, payload)
}

/// Says why; `reason` is cut at what a control frame holds.
pub(crate) fn close(code: Close, reason: &str) -> Bytes {
    let mut payload = (code as u16).to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload.truncate(MAX_CONTROL_BYTES);
    control(CLOSE, &payload)
}

fn control(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 2);
    frame.put_u8(FIN | opcode);
    frame.put_u8(u8::try_from(payload.len()).unwrap_or(0));
    frame.put_slice(payload);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as a client masks it.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [7, 1, 9, 3];
        let mut frame = vec![first];
        match payload.len() {
            short @ ..=125 => frame.push(MASKED | u8::try_from(short).unwrap()),
            long @ ..=65_535 => {
                frame.push(MASKED | 126);
                frame.put_u16(u16::try_from(long).unwrap());
            }
            huge => {
                frame.push(MASKED | 127);
                frame.put_u64(huge as u64);
            }
        }
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
        frame
    }

    fn decode(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<Close>) {
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(piece);
            loop {
                match decoder.next() {
                    Ok(Some(incoming)) => seen.push(incoming),
                    Ok(None) => break,
                    Err(close) => return (seen, Some(close)),
                }
            }
        }
        (seen, None)
    }

    #[test]
    fn messages_and_control_frames_come_whole_in_whatever_pieces() {
        let mut bytes = masked(FIN | TEXT, b"hello");
        bytes.extend(masked(TEXT, "ha".as_bytes()));
        bytes.extend(masked(FIN | PING, b"x"));
        bytes.extend(masked(FIN | CONTINUATION, "lo \u{e9}".as_bytes()));
        bytes.extend(masked(FIN | TEXT, &[b'a'; 300]));
        bytes.extend(masked(FIN | CLOSE, &[]));
        for piece in 1..20 {
            let (seen, close) = decode(&bytes, piece);
            assert_eq!(close, None);
            assert_eq!(
                seen,
                [
                    Incoming::Text("hello".to_owned()),
                    Incoming::Ping(Bytes::from_static(b"x")),
                    Incoming::Text("halo \u{e9}".to_owned()),
                    Incoming::Text("a".repeat(300)),
                    Incoming::Close,
                ]
            );
        }
    }

    #[test]
    fn what_the_protocol_forbids_closes_with_its_code() {
        let mut parts = masked(TEXT, b"a");
        parts.extend(masked(FIN | TEXT, b"b"));
        let unmasked = [FIN | TEXT, 1, b'a'];
        let mut endless = masked(TEXT, &[b'a'; MAX_MESSAGE_BYTES]);
        endless.extend(masked(CONTINUATION, b"b"));
        for (bytes, code) in [
            (&unmasked[..], Close::Protocol),
            (&masked(FIN | 0x40 | TEXT, b"a"), Close::Protocol),
            (&masked(FIN | CONTINUATION, b"a"), Close::Protocol),
            (&masked(FIN | 3, b"a"), Close::Protocol),
            (&masked(FIN | 11, b"a"), Close::Protocol),
            (&masked(PING, b"a"), Close::Protocol),
            (&masked(FIN | PING, &[0; 126]), Close::Protocol),
            (&parts, Close::Protocol),
            (&masked(FIN | BINARY, b"a"), Close::NotText),
            (&masked(FIN | TEXT, &[0xff]), Close::NotUtf8),
            (
                &masked(FIN | TEXT, &[b'a'; MAX_MESSAGE_BYTES + 1])[..20],
                Close::TooLarge,
            ),
            (&endless, Close::TooLarge),
            (
                &[
                    FIN | TEXT,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    0xff,
                    1,
                    2,
                    3,
                    4,
                ],
                Close::TooLarge,
            ),
        ] {
            assert_eq!(decode(bytes, bytes.len()).1, Some(code), "{bytes:x?}");
        }
    }

    #[test]
    fn frames_say_their_length_in_the_shortest_form() {
        assert_eq!(&text(b"", b"a")[..], [FIN | TEXT, 1, b'a']);
        assert_eq!(
            &text(&[b'a'; 100], &[b'b'; 26])[..4],
            [FIN | TEXT, 126, 0, 126]
        );
        let huge = text(&[b'a'; 70_000], b"");
        assert_eq!(&huge[..10], [FIN | TEXT, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(&close(Close::GoingAway, "bye")[..], b"\x88\x05\x03\xe9bye");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_in_another_way_than_by_a_code(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            piece in 1..40_usize,
        ) {
            decode(&bytes, piece);
        }
    }
}
