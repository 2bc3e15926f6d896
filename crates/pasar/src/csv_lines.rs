//! The line of a file at which a CSV record begins.
//!
//! The reader's own count stands before the empty lines that it skips, and before the second half of a CRLF.

/// Counts lines forward; records are asked for in the order of the file.
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl<'b> Lines<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// The line of the record or error at this position, or of the last one if it has none.
    pub(crate) fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let Some(position) = position else {
            return self.line;
        };
        let mut start = usize::try_from(position.byte())
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        while self
            .bytes
            .get(start)
            .is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
        {
            start += 1;
        }
        let passed = self.bytes.get(self.at..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(start);
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_at_its_own_line_after_empty_lines_crlf_and_quoted_breaks() {
        for (file, expected) in [
            ("a\nb\n\n\nc\n", vec![1, 2, 5]),
            ("a\r\nb\r\n\r\nc", vec![1, 2, 4]),
            ("\"a\na\"\nb\n", vec![1, 3]),
        ] {
            let mut lines = Lines::new(file.as_bytes());
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(file.as_bytes());
            let found: Vec<u64> = reader
                .records()
                .map(|record| lines.of(record.unwrap().position()))
                .collect();
            assert_eq!(found, expected, "{file:?}");
        }
    }
}
