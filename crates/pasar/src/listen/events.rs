//! Server-sent events, cut out of a stream (WHATWG HTML, section 9.2.6).

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: Option<String>,
    /// `message` if it says none.
    pub(super) name: String,
    pub(super) data: String,
}

/// Events that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    read: Vec<u8>,
    begun: Event,
    has_data: bool,
}

impl Events {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.read.extend_from_slice(piece);
    }

    /// The next event that has come whole.
    pub(super) fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.read.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let mut event = std::mem::take(&mut self.begun);
                if std::mem::take(&mut self.has_data) {
                    if event.name.is_empty() {
                        "message".clone_into(&mut event.name);
                    }
                    return Some(event);
                }
                continue;
            }
            self.field(line);
        }
        None
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.begun.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.begun.name),
            "data" => {
                if self.has_data {
                    self.begun.data.push('\n');
                }
                self.begun.data.push_str(value);
                self.has_data = true;
            }
            // A comment, or something newer.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let stream = b": hello\n\nid: 7\nevent: order.ready.v1\ndata: {\"a\":1}\n\ndata: b\r\ndata: c\r\n\r\nid: 9\n\n";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                events.push(piece);
                found.extend(std::iter::from_fn(|| events.next()));
            }
            let first = Event {
                id: Some("7".to_owned()),
                name: "order.ready.v1".to_owned(),
                data: "{\"a\":1}".to_owned(),
            };
            assert_eq!(found.len(), 2, "{size}");
            assert_eq!(found[0], first);
            assert_eq!(
                (found[1].name.as_str(), found[1].data.as_str()),
                ("message", "b\nc")
            );
        }
    }
}
