//! The lines of a head: a start line, then fields, each ended by CRLF.

use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memchr;

/// Reads a head line by line.
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// A field as it came.
#[derive(Clone, Copy)]
pub(crate) struct Field<'b> {
    pub(crate) name: &'b [u8],
    pub(crate) value: &'b [u8],
    /// With the end of the line.
    pub(crate) line: &'b [u8],
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Its end has not come yet.
    Partial,
    /// It is not as RFC 9112 has it written.
    Malformed,
}

/// The bytes of a token (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = {
    let marks = b"!#$%&'*+-.^_`|~";
    let mut table = [false; 256];
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = true;
        }
        byte += 1;
    }
    table
};

impl<'b> Lines<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next line without its end, which is CRLF and nothing else.
    pub(crate) fn line(&mut self) -> Result<&'b [u8], Unread> {
        let rest = &self.bytes[self.at..];
        let Some(end) = memchr(b'\n', rest) else {
            return Err(Unread::Partial);
        };
        self.at += end + 1;
        rest[..end].strip_suffix(b"\r").ok_or(Unread::Malformed)
    }

    /// The next field; none where the head ends.
    pub(crate) fn field(&mut self) -> Result<Option<Field<'b>>, Unread> {
        let begin = self.at;
        let line = self.line()?;
        if line.is_empty() {
            return Ok(None);
        }
        let colon = line.iter().position(|byte| !TOKEN[usize::from(*byte)]);
        let colon = colon.filter(|at| *at > 0 && line[*at] == b':');
        let colon = colon.ok_or(Unread::Malformed)?;
        let value = &line[colon + 1..];
        // All are looked at, without a branch for each: most are fine.
        let is_text = value.iter().fold(true, |fine, byte| fine & is_text(*byte));
        if !is_text {
            return Err(Unread::Malformed);
        }
        Ok(Some(Field {
            name: &line[..colon],
            value: value.trim_ascii(),
            line: &self.bytes[begin..self.at],
        }))
    }
}

impl Field<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn begins(&self, prefix: &str) -> bool {
        let begin = self.name.get(..prefix.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix.as_bytes()))
    }
}

/// What may stand in a value: no control characters but the tab.
const fn is_text(byte: u8) -> bool {
    (byte == b'\t') | ((byte >= b' ') & (byte != 0x7f))
}

/// A length in digits and nothing else.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// Lines that were read before, as a map.
pub(crate) fn map(lines: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut lines = Lines::new(lines);
    while let Ok(Some(field)) = lines.field() {
        let name = HeaderName::from_bytes(field.name);
        let value = HeaderValue::from_bytes(field.value);
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}

pub(crate) fn write(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Vec<(String, String)>, Unread> {
        let mut lines = Lines::new(head.as_bytes());
        let mut fields = Vec::new();
        while let Some(field) = lines.field()? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            fields.push((text(field.name), text(field.value)));
        }
        Ok(fields)
    }

    #[test]
    fn fields_are_read_without_the_space_around_their_values() {
        let fields = read("Host: pasar\r\nX-A:\tb c \r\nEmpty:\r\n\r\n").unwrap();
        let expected = [("Host", "pasar"), ("X-A", "b c"), ("Empty", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_head_that_has_not_ended_is_partial() {
        for head in ["", "Host", "Host: pasar\r\n", "Host: pasar\r\n\r"] {
            assert_eq!(read(head), Err(Unread::Partial), "{head:?}");
        }
    }

    #[test]
    fn what_servers_read_in_two_ways_is_malformed() {
        for head in [
            "Host: pasar\n\r\n",
            "Host: pasar\r\n\n",
            "Host : pasar\r\n\r\n",
            " Host: pasar\r\n\r\n",
            ": pasar\r\n\r\n",
            "Host\r\n\r\n",
            "Host: a\rb\r\n\r\n",
            "Host: a\0\r\n\r\n",
            "Host: a\x0bb\r\n\r\n",
            "Host: a\x0c\r\n\r\n",
            "Host: a\r\r\n\r\n",
            "Ho\u{e4}st: a\r\n\r\n",
        ] {
            assert_eq!(read(head), Err(Unread::Malformed), "{head:?}");
        }
    }

    #[test]
    fn a_length_is_digits() {
        assert_eq!(length(b"0"), Some(0));
        assert_eq!(length(b"44"), Some(44));
        for bad in ["", "+1", "-1", "0x1", "1 1", "1,1", "18446744073709551616"] {
            assert_eq!(length(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
