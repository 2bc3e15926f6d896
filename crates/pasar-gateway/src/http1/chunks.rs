//! Bodies in chunks (RFC 9112, section 7.1), read as they come. Extensions and trailers are read over.

use std::ops::Range;

/// Where in a chunked body the reading stands.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    state: State,
    /// The bytes that are left of this chunk, or its size as far as it is read.
    left: u64,
    digits: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    /// At the beginning of a line after the last chunk.
    Line,
    Trailer,
    TrailerEnd,
    LastEnd,
    Ended,
}

/// What was found in some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Data of the body, and where the reading goes on.
    Data(Range<usize>),
    /// All bytes are read and there is no more data among them.
    Nothing,
    /// The body has ended, before this byte.
    End(usize),
}

/// It is not a body in chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// So many digits make every size that is not absurd.
const MOST_DIGITS: u8 = 15;

impl Chunks {
    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Reads from `bytes`; whoever asks goes on after what was found.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Found, Malformed> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match self.state {
                State::Data => {
                    let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
                    let taken = usize::try_from(self.left.min(here)).unwrap_or(usize::MAX);
                    self.left -= taken as u64;
                    if self.left == 0 {
                        self.state = State::DataReturn;
                    }
                    return Ok(Found::Data(at..at + taken));
                }
                State::Ended => return Ok(Found::End(at)),
                _ => self.step(*byte)?,
            }
            at += 1;
        }
        Ok(if self.is_ended() {
            Found::End(at)
        } else {
            Found::Nothing
        })
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (self.state, byte) {
            (State::Size, digit) if digit.is_ascii_hexdigit() && self.digits < MOST_DIGITS => {
                let value = char::from(digit).to_digit(16).unwrap_or(0);
                self.left = self.left * 16 + u64::from(value);
                self.digits += 1;
                State::Size
            }
            (State::Size, b';' | b' ' | b'\t') if self.digits > 0 => State::Extension,
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, byte) if byte != b'\n' => State::Extension,
            (State::SizeEnd, b'\n') => {
                self.digits = 0;
                if self.left == 0 {
                    State::Line
                } else {
                    State::Data
                }
            }
            (State::DataReturn, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::Size,
            (State::Line, b'\r') => State::LastEnd,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::Line | State::Trailer, byte) if byte != b'\n' => State::Trailer,
            (State::TrailerEnd, b'\n') => State::Line,
            (State::LastEnd, b'\n') => State::Ended,
            _ => return Err(Malformed),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and the bytes after the end; read in pieces of a size.
    fn read(body: &[u8], piece: usize) -> Result<(Vec<u8>, Option<usize>), Malformed> {
        let mut chunks = Chunks::default();
        let (mut data, mut read) = (Vec::new(), 0);
        for part in body.chunks(piece) {
            let mut rest = part;
            loop {
                match chunks.next(rest)? {
                    Found::Data(range) => {
                        data.extend_from_slice(&rest[range.clone()]);
                        rest = &rest[range.end..];
                    }
                    Found::Nothing => break,
                    Found::End(at) => {
                        let end = read + part.len() - rest.len() + at;
                        return Ok((data, Some(body.len() - end)));
                    }
                }
            }
            read += part.len();
        }
        Ok((data, None))
    }

    #[test]
    fn data_is_found_however_the_bytes_come() {
        let body = b"5\r\nhello\r\n1a;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nA: b\r\n\r\nNEXT";
        for piece in 1..body.len() {
            let (data, after) = read(body, piece).unwrap();
            assert_eq!(data, b"helloabcdefghijklmnopqrstuvwxyz", "{piece}");
            // In small pieces the end is found before all is there.
            assert!(after.is_some_and(|after| after >= 4), "{piece}");
        }
        assert_eq!(read(body, body.len()).unwrap().1, Some(4));
    }

    #[test]
    fn a_body_that_is_cut_off_has_not_ended() {
        for cut in ["5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n"] {
            assert_eq!(read(cut.as_bytes(), 3).unwrap().1, None, "{cut:?}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bad in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "0x1\r\n",
            "5\n",
            "5\r\nhelloworld",
            "1000000000000000\r\n",
            "1\r\na\n0\r\n",
            "0\r\n\n",
        ] {
            assert_eq!(read(bad.as_bytes(), 64), Err(Malformed), "{bad:?}");
        }
    }
}
