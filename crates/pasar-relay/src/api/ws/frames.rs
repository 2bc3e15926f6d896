//! What clients and the relay say to each other over a WebSocket: JSON, one object with one member, whose
//! name says what it is. Unknown names and fields are refused.

use bytes::Bytes;
use pasar_chassis::{extract::parse_json, problem::Problem};
use pasar_contracts::{
    api::relay::{Format, MAX_NAME_BYTES, MAX_PATTERNS, Start},
    problem::ProblemType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::live::websocket;

/// From a client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Frame {
    Subscribe(Subscribe),
    Unsubscribe(Named),
    /// Goes on from another place.
    Resume(Placed),
    /// Everything up to this position has arrived.
    Ack(Placed),
    Ping(Nothing),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscribe {
    /// The client's name for it, which every message of it carries.
    pub(super) id: String,
    pub(super) topics: Vec<String>,
    #[serde(default)]
    pub(super) types: Vec<String>,
    #[serde(default)]
    pub(super) position: Option<Place>,
    #[serde(default)]
    pub(super) format: Format,
    #[serde(default)]
    pub(super) acknowledge: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) id: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Placed {
    pub(super) id: String,
    pub(super) position: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// `null` stands for now.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Place {
    After(i64),
    Word(Word),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Now,
    Earliest,
}

/// To a client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply<'r> {
    Subscribed { id: &'r str, position: i64 },
    Unsubscribed { id: &'r str },
    Gap { id: &'r str, after: i64, upto: i64 },
    Pong {},
}

pub(super) fn parse(text: &str) -> Result<Frame, Problem> {
    parse_json(text.as_bytes()).map_err(|problem| {
        let why = problem.to_json()["detail"].as_str().map(str::to_owned);
        Problem::new(ProblemType::InvalidRequest).detail(format!(
            "no frame of this protocol: {}",
            why.unwrap_or_default()
        ))
    })
}

impl Subscribe {
    /// 422 if it asks for more than one may.
    pub(super) fn check(&self) -> Result<Start, Problem> {
        if self.id.is_empty() || self.id.len() > MAX_NAME_BYTES {
            return Err(Problem::invalid_field(
                "id",
                format!("expected 1 to {MAX_NAME_BYTES} bytes"),
            ));
        }
        if !(1..=MAX_PATTERNS).contains(&self.topics.len()) {
            return Err(Problem::invalid_field(
                "topics",
                format!("expected 1 to {MAX_PATTERNS}"),
            ));
        }
        if self.types.len() > MAX_PATTERNS {
            return Err(Problem::invalid_field(
                "types",
                format!("expected {MAX_PATTERNS} at most"),
            ));
        }
        match self.position {
            None | Some(Place::Word(Word::Now)) => Ok(Start::Now),
            Some(Place::Word(Word::Earliest)) => Ok(Start::Earliest),
            Some(Place::After(position)) => after(position),
        }
    }
}

/// 422 if it is no position.
pub(super) fn after(position: i64) -> Result<Start, Problem> {
    if position < 0 {
        return Err(Problem::invalid_field("position", "expected 0 or more"));
    }
    Ok(Start::Position(position))
}

pub(super) fn reply(reply: &Reply<'_>) -> Bytes {
    let json = serde_json::to_vec(reply).unwrap_or_default();
    websocket::text(&json, b"")
}

/// A problem, with the subscription that it is about.
pub(super) fn error(id: Option<&str>, problem: &Problem) -> Bytes {
    let mut body = problem.to_json();
    if let (Some(id), Value::Object(body)) = (id, &mut body) {
        body.insert("id".to_owned(), id.into());
    }
    websocket::text(json!({ "error": body }).to_string().as_bytes(), b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let problem = parse(text).unwrap_err();
        problem.to_json()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_no_frame_is_refused_in_the_words_of_json() {
        for (text, why) in [
            (
                r#"{"subscribe":["a",["orders"]]}"#,
                "subscribe: expected an object",
            ),
            (r#"{"subscribe":7}"#, "subscribe: expected an object"),
            (
                r#"{"ack":{"id":"a","position":"b"}}"#,
                "ack.position: expected a whole number",
            ),
        ] {
            let detail = refusal(text);
            assert_eq!(detail, format!("no frame of this protocol: {why}"));
        }
        assert!(refusal("{").contains("not valid JSON"));
        assert!(parse(r#"{"subscribe":{"id":"a","topics":["orders"]}}"#).is_ok());
    }
}
