//! Which of the forms a body has, by the headers of its request.

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE, ORIGIN},
};
use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Our own: `MessageInput`.
    Plain,
    /// One CloudEvent in JSON.
    Structured,
    /// A JSON array of CloudEvents.
    Batch,
    /// The body is the data, and `ce-` headers say the rest.
    Binary,
    /// A line a message, without end.
    Lines,
}

pub(crate) const LINES: &str = "application/x-ndjson";
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
const SPEC_VERSION: &str = "ce-specversion";
/// What `curl -d` says when it is not told otherwise.
const FORM: &str = "application/x-www-form-urlencoded";

impl Form {
    /// CloudEvents' HTTP binding 1.0.2, section 3: the content type of an event tells its mode.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let coding = headers.get(CONTENT_ENCODING);
        if coding.is_some_and(|coding| coding != "identity") {
            return Err(Problem::new(ProblemType::UnsupportedMediaType)
                .detail("the body must not be compressed"));
        }
        let content_type = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = essence(content_type).to_ascii_lowercase();
        match essence.as_str() {
            STRUCTURED => Ok(Self::Structured),
            BATCH => Ok(Self::Batch),
            LINES | "application/ndjson" | "application/jsonl" | "application/json-lines" => {
                Ok(Self::Lines)
            }
            _ if headers.contains_key(SPEC_VERSION) => Ok(Self::Binary),
            "application/json" => Ok(Self::Plain),
            // A page of another origin could send a form without asking first; it always says its origin.
            FORM if !headers.contains_key(ORIGIN) => Ok(Self::Plain),
            _ => Err(Problem::new(ProblemType::UnsupportedMediaType).detail(
                "the Content-Type must be application/json, application/cloudevents+json, \
                 application/cloudevents-batch+json or application/x-ndjson, or the headers those of a \
                 CloudEvent (ce-specversion, ce-id, ce-source, ce-type)",
            )),
        }
    }
}

/// A media type without its parameters.
pub(crate) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Whether what a media type names is JSON (RFC 6839, section 3.1).
#[must_use]
pub(crate) fn is_json(media_type: &str) -> bool {
    let Some((_, subtype)) = essence(media_type).split_once('/') else {
        return false;
    };
    let ends_in_json = subtype.len() > 5
        && subtype
            .as_bytes()
            .last_chunk::<5>()
            .is_some_and(|end| end.eq_ignore_ascii_case(b"+json"));
    subtype.eq_ignore_ascii_case("json") || ends_in_json
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn form(headers: &[(&'static str, &'static str)]) -> Option<Form> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        Form::of(&map).ok()
    }

    #[test]
    fn the_content_type_tells_the_form() {
        let of = |content_type| form(&[("content-type", content_type)]);
        assert_eq!(of("application/json; charset=utf-8"), Some(Form::Plain));
        assert_eq!(of("Application/CloudEvents+JSON"), Some(Form::Structured));
        assert_eq!(of("application/cloudevents-batch+json"), Some(Form::Batch));
        assert_eq!(of("application/x-ndjson"), Some(Form::Lines));
        assert_eq!(of("text/plain"), None);
        assert_eq!(of(""), None);
        assert_eq!(form(&[]), None);
    }

    #[test]
    fn headers_of_an_event_make_any_content_its_data() {
        let event = ("ce-specversion", "1.0");
        for content_type in ["text/plain", "application/json", "image/png"] {
            let headers = [event, ("content-type", content_type)];
            assert_eq!(form(&headers), Some(Form::Binary), "{content_type}");
        }
        assert_eq!(form(&[event]), Some(Form::Binary));
        let structured = [event, ("content-type", STRUCTURED)];
        assert_eq!(form(&structured), Some(Form::Structured));
    }

    #[test]
    fn a_form_is_taken_from_a_command_line_but_not_from_a_page() {
        let typed = ("content-type", FORM);
        assert_eq!(form(&[typed]), Some(Form::Plain));
        assert_eq!(
            form(&[typed, ("origin", "https://elsewhere.example")]),
            None
        );
    }

    #[test]
    fn json_is_known_by_its_subtype() {
        for json in ["application/json", "TEXT/JSON", "application/a+json; v=1"] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "",
            "json",
            "application/+json",
            "text/plain",
            "application/jsonx",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
