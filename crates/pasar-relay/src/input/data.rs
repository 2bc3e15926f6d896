//! Data on its way into the log: JSON is kept as the text that it came as, so it is looked at once, without
//! being parsed into values.

use pasar_chassis::problem::Problem;
use pasar_contracts::problem::ProblemType;
use serde_json::value::RawValue;

use super::draft::Terms;

/// How deep arrays and objects may lie in each other: what every parser of JSON takes.
pub(crate) const MAX_DEPTH: usize = 100;

/// Checks the text of a JSON value whose syntax is known to be right. What would be valid JSON and still break
/// its readers is refused (RFC 7493): halves of surrogate pairs, nesting without end; and NUL characters, as
/// everywhere.
pub(crate) fn check_json(field: &str, json: &RawValue) -> Result<(), Problem> {
    let refused = |why: String| Err(Problem::invalid_field(field, why));
    let bytes = json.get().as_bytes();
    let (mut depth, mut at, mut in_text) = (0_usize, 0, false);
    while let Some(byte) = bytes.get(at) {
        match (byte, in_text) {
            (b'"', _) => in_text = !in_text,
            (b'[' | b'{', false) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return refused(format!("expected at most {MAX_DEPTH} levels"));
                }
            }
            (b']' | b'}', false) => depth = depth.saturating_sub(1),
            (b'\\', true) => match escape(&bytes[at + 1..]) {
                Ok(length) => at += length,
                Err(why) => return refused(why.to_owned()),
            },
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// How many bytes of an escape follow its backslash.
fn escape(rest: &[u8]) -> Result<usize, &'static str> {
    if rest.first() != Some(&b'u') {
        return Ok(1);
    }
    match unit(&rest[1..]) {
        Some(0) => Err("a text may not contain NUL characters"),
        Some(0xd800..=0xdbff) => match rest.get(5..7) {
            Some(b"\\u") if matches!(unit(&rest[7..]), Some(0xdc00..=0xdfff)) => Ok(11),
            _ => Err("a text may not contain half of a surrogate pair"),
        },
        Some(0xdc00..=0xdfff) => Err("a text may not contain half of a surrogate pair"),
        Some(_) | None => Ok(5),
    }
}

fn unit(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// 413 for data that is larger than the configuration allows.
pub(crate) fn check_size(length: usize, terms: Terms<'_>) -> Result<(), Problem> {
    if length <= terms.data_bytes {
        return Ok(());
    }
    let most = terms.data_bytes;
    Err(Problem::new(ProblemType::PayloadTooLarge)
        .detail(format!(
            "the data of a message may have at most {most} bytes (relay.message_bytes); send a link to more"
        ))
        .with("limit_bytes", most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> bool {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        check_json("data", raw).is_ok()
    }

    #[test]
    fn what_every_reader_takes_is_taken() {
        for json in [
            "null",
            r#""a\\u0000 \" \\""#,
            r#"{"emoji":"\ud83d\ude00","quote":"[[[[{{{{"}"#,
            r#"["\u0041\uFFFF"]"#,
        ] {
            assert!(check(json), "{json}");
        }
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(check(&deep(MAX_DEPTH)));
        assert!(!check(&deep(MAX_DEPTH + 1)));
        assert!(check(&format!("[{}1]", "[],".repeat(1_000))));
    }

    #[test]
    fn what_breaks_readers_is_refused() {
        for json in [
            r#""\u0000""#,
            r#""\\\u0000""#,
            r#""\ud800""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#"{"\udc00":1}"#,
        ] {
            assert!(!check(json), "{json}");
        }
    }
}
