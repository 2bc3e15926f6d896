//! Reading server-sent events as a browser would.

use std::collections::VecDeque;

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::Value;

use crate::probe::soon;

/// A stream that is being read.
pub struct EventStream {
    body: Body,
    unread: String,
    events: VecDeque<SseEvent>,
    last_id: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: String,
}

impl EventStream {
    #[must_use]
    pub const fn new(body: Body) -> Self {
        Self {
            body,
            unread: String::new(),
            events: VecDeque::new(),
            last_id: None,
        }
    }

    /// The id that a browser would come back with.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Reads until a place comes, which need not be an event's.
    ///
    /// # Panics
    /// If none comes in time, or the stream ends or breaks.
    pub async fn next_id(&mut self) -> String {
        self.last_id = None;
        loop {
            if let Some(id) = &self.last_id {
                return id.clone();
            }
            assert!(self.read("a place").await, "the stream ended");
        }
    }

    /// The next event; `None` at the end. Heartbeats are passed over.
    ///
    /// # Panics
    /// If neither comes in time, or the stream breaks.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.read("an event").await {
                return None;
            }
        }
    }

    /// False at the end.
    async fn read(&mut self, wanted: &str) -> bool {
        let Some(frame) = soon(wanted, self.body.frame()).await else {
            return false;
        };
        if let Ok(data) = frame.expect("the stream does not break").into_data() {
            self.unread.push_str(&String::from_utf8_lossy(&data));
            self.parse();
        }
        true
    }

    fn parse(&mut self) {
        while let Some((block, rest)) = self.unread.split_once("\n\n") {
            let event = block.lines().fold(SseEvent::default(), with_line);
            if event.id.is_some() {
                self.last_id.clone_from(&event.id);
            }
            // As the standard says: without data there is no event, only a place.
            if block.lines().any(|line| line.starts_with("data")) {
                self.events.push_back(event);
            }
            self.unread = rest.to_owned();
        }
    }
}

impl SseEvent {
    /// # Panics
    /// If the data is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("the data is JSON")
    }
}

fn with_line(mut event: SseEvent, line: &str) -> SseEvent {
    let (field, value) = line.split_once(':').unwrap_or((line, ""));
    let value = value.strip_prefix(' ').unwrap_or(value);
    match field {
        "id" => event.id = Some(value.to_owned()),
        "event" => event.event = Some(value.to_owned()),
        "data" => {
            if !event.data.is_empty() {
                event.data.push('\n');
            }
            event.data.push_str(value);
        }
        _ => {}
    }
    event
}
