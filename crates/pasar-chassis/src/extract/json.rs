//! JSON bodies, and what is said about those that are not as expected.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use pasar_contracts::problem::ProblemType;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, error::Category};

use super::{body, objects::Objects, wording::reworded};
use crate::problem::Problem;

/// What is named where all of it is wrong, and no field.
const BODY: &str = "body";

/// A body of `application/json`. An empty body is read as `{}`, so that a call whose fields are all
/// optional needs none. Also answers: 200 with the value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let readable = check_media_type(request.headers());
        let body = body::read(request).await?;
        if !body.is_empty() {
            readable?;
        }
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json` or `application/..+json`, in UTF-8, not compressed.
pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(ProblemType::UnsupportedMediaType).detail(detail));
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = essence.split_once('/').is_some_and(|(family, subtype)| {
        family.eq_ignore_ascii_case("application")
            && (subtype.eq_ignore_ascii_case("json")
                || subtype.to_ascii_lowercase().ends_with("+json"))
    });
    if !is_json {
        return refused("the Content-Type must be application/json");
    }
    let identity = HeaderValue::from_static("identity");
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding != identity)
    {
        return refused("the body must not be compressed");
    }
    Ok(())
}

/// Reads a body, or another text that a client gave; nothing is read as `{}`. It is read a second time to name
/// the field only when it was refused.
pub fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    if let Some(escape) = nul_escape(body) {
        return Err(nul_problem(body, escape));
    }
    read(body).map_err(|error| match error.classify() {
        Category::Data => explain::<T>(body, &error),
        // A number where a word is expected, say.
        Category::Syntax if is_json(body) => explain::<T>(body, &error),
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(ProblemType::InvalidRequest)
                .detail(format!("the body is not valid JSON: {error}"))
        }
    })
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end()?;
    Ok(value)
}

fn is_json(body: &[u8]) -> bool {
    let text = str::from_utf8(body);
    text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn explain<'b, T: Deserialize<'b>>(body: &'b [u8], first: &serde_json::Error) -> Problem {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(Objects(&mut deserializer)) {
        Err(error) => {
            let field = error.path().to_string();
            field_problem(&field, &error.inner().to_string())
        }
        Ok(_) => Problem::invalid_field(BODY, reworded(&first.to_string())),
    }
}

/// The problem for a value that serde refused at a path.
pub(super) fn field_problem(path: &str, message: &str) -> Problem {
    let message = reworded(message);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    let field = match named {
        Some(name) if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        Some(name) if path == "." || path == "?" => name.to_owned(),
        Some(name) => format!("{}.{name}", path.trim_end_matches(".?")),
        None if path == "." => BODY.to_owned(),
        None => path.to_owned(),
    };
    Problem::invalid_field(field, message)
}

/// Where `\u0000` stands as an escape (not after an escaped backslash). A bare NUL is no JSON anyway.
fn nul_escape(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = body[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        if body[escape + 1..].starts_with(b"u0000") {
            return Some(escape);
        }
        // The character after a backslash is part of the escape, a second backslash too.
        at = (escape + 2).min(body.len());
    }
    None
}

fn nul_problem(body: &[u8], escape: usize) -> Problem {
    let detail = "a text may not contain NUL characters";
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => Problem::invalid_field(nul_path(&value).unwrap_or(BODY.to_owned()), detail),
        Err(error) => Problem::new(ProblemType::InvalidRequest).detail(format!(
            "the body is not valid JSON ({error}) and has a NUL character at byte {escape}"
        )),
    }
}

/// The path of the first text with a NUL. The parser bounds the depth.
fn nul_path(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            nul_path(item).map(|rest| join(&format!("[{index}]"), &rest))
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') {
                return Some(BODY.to_owned());
            }
            nul_path(member).map(|rest| join(name, &rest))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn join(first: &str, rest: &str) -> String {
    let dot = if rest.is_empty() || rest.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{first}{dot}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Line {
        sku: String,
        quantity: u16,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the reading is tested")]
    struct Order {
        lines: Vec<Line>,
        note: Option<String>,
    }

    fn refusal(body: &[u8]) -> (u16, String) {
        let problem = parse::<Order>(body).unwrap_err();
        let field = problem.to_json()["errors"][0]["field"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (problem.status().as_u16(), field)
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let check = |body: &str, field: &str| {
            assert_eq!(refusal(body.as_bytes()), (422, field.to_owned()), "{body}");
        };
        check(
            r#"{"lines":[{"sku":"a","quantity":-1}]}"#,
            "lines[0].quantity",
        );
        check(
            r#"{"lines":[{"sku":"a","quantity":1},{"sku":"b"}]}"#,
            "lines[1].quantity",
        );
        check(r#"{"lines":[],"state":"x"}"#, "state");
        check(
            r#"{"lines":[{"sku":"a","quantity":1,"price":2}]}"#,
            "lines[0].price",
        );
        check("{}", "lines");
        check("", "lines");
        check(r#"{"lines":[],"note":"a\u0000b"}"#, "note");
        check(r#"{"lines":[{"sku":"\u0000"}]}"#, "lines[0].sku");
        check(r#"{"lines":{}}"#, "lines");
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only the reading is tested")]
    enum Change {
        Count { on_hand: i64 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only the reading is tested")]
    enum Frame {
        Open { line: Line },
        Close(Line),
    }

    fn detail<'b, T: Deserialize<'b> + std::fmt::Debug>(body: &'b str) -> String {
        let problem = parse::<T>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.status().as_u16(), 422, "{body}");
        problem.to_json()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn an_array_is_no_object_wherever_it_stands() {
        assert_eq!(detail::<Order>("[[],null]"), "body: expected an object");
        assert_eq!(
            detail::<Order>(r#"{"lines":[{"sku":"a","quantity":1},["a",1]]}"#),
            "lines[1]: expected an object"
        );
        assert_eq!(
            detail::<Vec<Line>>(r#"[["a",1]]"#),
            "[0]: expected an object"
        );
        assert_eq!(
            detail::<std::collections::BTreeMap<String, Option<Line>>>(r#"{"x":["a",1]}"#),
            "x: expected an object"
        );
        assert_eq!(
            detail::<Change>(r#"["count",1]"#),
            "body: expected an object"
        );
        assert_eq!(
            detail::<Frame>(r#"{"open":[{"sku":"a","quantity":1}]}"#),
            "open: expected an object"
        );
        assert_eq!(
            detail::<Frame>(r#"{"open":{"line":["a",1]}}"#),
            "open.line: expected an object"
        );
        assert_eq!(
            detail::<Frame>(r#"{"close":["a",1]}"#),
            "close: expected an object"
        );
        assert!(parse::<Change>(br#"{"kind":"count","on_hand":1}"#).is_ok());
        assert!(parse::<Frame>(br#"{"close":{"sku":"a","quantity":1}}"#).is_ok());
        assert!(parse::<(String, u16)>(br#"["a",1]"#).is_ok());
        assert!(parse::<Value>(b"[[1],{\"a\":[]}]").is_ok());
    }

    #[test]
    fn valid_json_is_never_called_invalid() {
        assert_eq!(detail::<Frame>("7"), "body: expected another value");
        assert_eq!(
            detail::<Order>(r#"{"lines":[{"sku":"a","quantity":1e999}]}"#),
            "lines[0].quantity: too large"
        );
        let nested = format!("{{\"lines\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(detail::<Order>(&nested), "lines[0]: expected an object");
    }

    #[test]
    fn what_is_no_json_at_all_is_a_400() {
        for body in [
            b"{".as_slice(),
            b"nonsense",
            b"{\"lines\":[]} trailing",
            b"{\"note\":\"\xff\xfe\"}",
            b"{\"note\":\"\x00\"}",
            b"\xef\xbb\xbf{}",
        ] {
            assert_eq!(refusal(body).0, 400, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_value_nested_without_end_is_a_problem_wherever_it_stands() {
        for (start, nested) in [
            ("", "["),
            ("{\"lines\":", "["),
            ("{\"lines\":[],\"note\":", "{\"a\":"),
        ] {
            let body = start.to_owned() + &nested.repeat(100_000);
            let status = refusal(body.as_bytes()).0;
            assert!(matches!(status, 400 | 422), "{start}: {status}");
            let value = parse::<Value>(body.as_bytes()).unwrap_err();
            assert_eq!(value.status().as_u16(), 400, "{start}");
        }
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_no_nul() {
        assert!(parse::<Order>(br#"{"lines":[],"note":"\\u0000"}"#).is_ok());
        assert!(parse::<Order>(br#"{"lines":[],"note":"\\\u0000"}"#).is_err());
    }

    #[test]
    fn the_message_does_not_repeat_the_place() {
        let problem = parse::<Order>(br#"{"lines":7}"#).unwrap_err();
        let detail = problem.to_json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains("column"), "{detail}");
    }

    #[test]
    fn only_plain_json_is_taken() {
        let check = |content_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            check_media_type(&headers).is_ok()
        };
        assert!(check("application/json"));
        assert!(check("application/json; charset=utf-8"));
        assert!(check("Application/merge-patch+JSON"));
        assert!(!check("text/plain"));
        assert!(!check("application/x-www-form-urlencoded"));
        assert!(!check(""));
    }
}
