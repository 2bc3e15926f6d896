//! A body cut into lines as it comes (NDJSON). A line that is too long is passed over without being kept.

use bytes::Bytes;

/// Lines that come in pieces.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    piece: Bytes,
    /// The line is too long already; its rest is passed over.
    skipping: bool,
    most: usize,
    number: u64,
}

/// A line, by its number from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) text: Text,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Whole(Bytes),
    TooLong,
}

impl Lines {
    /// For lines of so many bytes at most.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            begun: Vec::new(),
            piece: Bytes::new(),
            skipping: false,
            most,
            number: 0,
        }
    }

    /// The next piece of the body, once [`Lines::next`] has answered that it needs one.
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(
            self.piece.is_empty(),
            "the piece before was read to its end"
        );
        self.piece = piece;
    }

    /// The next line that is not blank; `None` if its end has not come yet.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let Some(end) = self.piece.iter().position(|byte| *byte == b'\n') else {
                self.keep_rest();
                return None;
            };
            let rest = self.piece.split_to(end + 1).slice(..end);
            if let Some(line) = self.end_line(rest) {
                return Some(line);
            }
        }
    }

    /// The last line, if the body ended without a line break.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.piece);
        self.end_line(rest)
    }

    /// Lines whose end has come.
    pub(crate) const fn ended(&self) -> u64 {
        self.number
    }

    fn keep_rest(&mut self) {
        let rest = std::mem::take(&mut self.piece);
        if self.skipping || self.begun.len() + rest.len() > self.most {
            self.skipping = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(&rest);
        }
    }

    fn end_line(&mut self, rest: Bytes) -> Option<Line> {
        self.number += 1;
        let too_long =
            std::mem::take(&mut self.skipping) || self.begun.len() + rest.len() > self.most;
        let text = if too_long {
            self.begun = Vec::new();
            Text::TooLong
        } else {
            let whole = if self.begun.is_empty() {
                rest
            } else {
                self.begun.extend_from_slice(&rest);
                std::mem::take(&mut self.begun).into()
            };
            if whole.trim_ascii().is_empty() {
                return None;
            }
            Text::Whole(whole)
        };
        Some(Line {
            number: self.number,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a body that comes in pieces of so many bytes.
    fn cut(body: &[u8], pieces: usize, most: usize) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(most);
        let mut found = Vec::new();
        let mut keep = |line: Line| {
            let text = match line.text {
                Text::Whole(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
                Text::TooLong => None,
            };
            found.push((line.number, text));
        };
        for piece in body.chunks(pieces) {
            lines.push(Bytes::copy_from_slice(piece));
            while let Some(line) = lines.next() {
                keep(line);
            }
        }
        if let Some(line) = lines.finish() {
            keep(line);
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_the_body_is_cut() {
        let body = b"a\nbcd\r\n\n  \nx\ntoo long\nend";
        let whole = cut(body, 1_000, 5);
        let texts: Vec<_> = whole
            .iter()
            .map(|(number, text)| (*number, text.as_deref()))
            .collect();
        let expected = [
            (1, Some("a")),
            (2, Some("bcd\r")),
            (5, Some("x")),
            (6, None),
            (7, Some("end")),
        ];
        assert_eq!(texts, expected);
        for pieces in 1..body.len() {
            assert_eq!(cut(body, pieces, 5), whole, "{pieces}");
        }
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut lines = Lines::new(10);
        for _ in 0..1_000 {
            lines.push(Bytes::from_static(b"0123456789"));
            assert_eq!(lines.next(), None);
            assert!(lines.begun.capacity() <= 40);
        }
        assert_eq!(lines.finish().unwrap().text, Text::TooLong);
        assert_eq!(lines.ended(), 1);
    }

    #[test]
    fn an_empty_body_has_no_lines() {
        assert_eq!(cut(b"", 1, 5), []);
        assert_eq!(cut(b"\n\n", 1, 5), []);
    }
}
