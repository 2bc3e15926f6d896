//! Server-sent events out of the bytes of a stream, as far as a feed's stream uses them: `event`, `data` on
//! one line, comments. What is cut off in the middle is not an event.

use bytes::{Buf, BytesMut};

/// Bytes that came and are no whole event yet.
#[derive(Default)]
pub(crate) struct Frames(BytesMut);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An event is longer than any that a feed has.
#[derive(Debug, thiserror::Error)]
#[error("an event of the stream is longer than {MOST_BYTES} bytes, or no text")]
pub(crate) struct Unreadable;

/// Of one event.
const MOST_BYTES: usize = 8 * 1024 * 1024;

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole event; comments are passed over.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Unreadable> {
        loop {
            let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") else {
                return if self.0.len() > MOST_BYTES {
                    Err(Unreadable)
                } else {
                    Ok(None)
                };
            };
            let block = self.0.split_to(end);
            self.0.advance(2);
            let text = std::str::from_utf8(&block).map_err(|_| Unreadable)?;
            let mut frame = Frame {
                name: String::new(),
                data: String::new(),
            };
            for line in text.split('\n') {
                if let Some(data) = line.strip_prefix("data: ") {
                    data.clone_into(&mut frame.data);
                } else if let Some(name) = line.strip_prefix("event: ") {
                    name.clone_into(&mut frame.name);
                }
            }
            if !frame.data.is_empty() {
                return Ok(Some(frame));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, data: &str) -> Frame {
        Frame {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_are_read_wherever_the_bytes_are_cut() {
        let text = b": hello\n\nid: e.1\nevent: a.v1\ndata: {\"x\":1}\n\nevent: head\ndata: {}\n\nid: e.2\nda";
        for cut in 0..text.len() {
            let mut frames = Frames::default();
            let mut read = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                frames.push(part);
                while let Some(next) = frames.next().unwrap() {
                    read.push(next);
                }
            }
            assert_eq!(read, [frame("a.v1", "{\"x\":1}"), frame("head", "{}")]);
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut frames = Frames::default();
        frames.push(&vec![b'x'; MOST_BYTES + 1]);
        assert!(frames.next().is_err());
    }
}
