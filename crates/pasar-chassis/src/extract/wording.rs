//! What serde and the standard library say of a value, in the words of whoever sent it: they know JSON and not the
//! types that it is read into. What was sent is not repeated.

use std::borrow::Cow;

/// The texts that are replaced whole.
const WHOLE: [(&str, &str); 13] = [
    ("number too large to fit in target type", "too large"),
    ("number too small to fit in target type", "too small"),
    ("number out of range", "too large"),
    (
        "number would be zero for non-zero type",
        "expected a number other than 0",
    ),
    ("invalid digit found in string", "expected a whole number"),
    (
        "cannot parse integer from empty string",
        "expected a whole number",
    ),
    ("invalid float literal", "expected a number"),
    ("cannot parse float from empty string", "expected a number"),
    (
        "provided string was not `true` or `false`",
        "expected true or false",
    ),
    ("recursion limit exceeded", "nested too deeply"),
    ("expected value", "expected another value"),
    ("too many characters in string", "expected one character"),
    (
        "cannot parse char from empty string",
        "expected one character",
    ),
];

/// A message about a value.
#[must_use]
pub fn reworded(message: &str) -> Cow<'_, str> {
    let message = without_place(message);
    if let Some((_, better)) = WHOLE.iter().find(|(text, _)| *text == message) {
        return (*better).into();
    }
    let begins = |begin: &str| message.starts_with(begin);
    if begins("unknown variant `") {
        let known = message.rfind(", expected ").map(|at| &message[at + 2..]);
        return known.unwrap_or("expected another value").into();
    }
    if begins("data did not match any variant of ") {
        return "expected another value".into();
    }
    let is_value = begins("invalid value: ");
    if !is_value && !begins("invalid type: ") && !begins("invalid length ") {
        return message.into();
    }
    match message.rfind(", expected ") {
        Some(at) => expected(&message[at + ", expected ".len()..], is_value).into(),
        None => "expected another value".into(),
    }
}

/// What a type is called in JSON.
#[must_use]
pub(super) fn type_name(name: &str) -> &str {
    let begins = |begins: &[&str]| begins.iter().any(|begin| name.starts_with(begin));
    match name {
        _ if bounds(name).is_some() => "a whole number",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        "char" | "a character" => "one character",
        "String" | "a borrowed string" | "string or map" | "variant identifier" => "a string",
        "unit" => "null",
        "a sequence" => "an array",
        "a map" => "an object",
        _ if begins(&["struct ", "internally tagged ", "adjacently tagged "]) => "an object",
        _ if begins(&["tuple ", "a tuple ", "an array "]) => "an array",
        _ if begins(&["enum "]) => "a string",
        _ => name,
    }
}

fn expected(what: &str, is_value: bool) -> String {
    let zero = what.strip_prefix("a nonzero ");
    let name = type_name(zero.unwrap_or(what));
    match bounds(what).filter(|_| is_value) {
        Some((least, most)) => format!("expected {name} from {least} to {most}"),
        None if zero.is_some() => format!("expected {name} other than 0"),
        None => format!("expected {name}"),
    }
}

fn bounds(of: &str) -> Option<(i128, u128)> {
    Some(match of {
        "i8" => (i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => (i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => (i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX.unsigned_abs().into()),
        "i128" => (i128::MIN, i128::MAX.unsigned_abs()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        "u128" => (0, u128::MAX),
        _ => return None,
    })
}

/// `serde_json` appends where in the text it was; the path says it better.
fn without_place(message: &str) -> &str {
    message
        .rfind(" at line ")
        .map_or(message, |place| &message[..place])
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Line {}

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Now,
        Earliest,
    }

    fn said<'j, T: Deserialize<'j> + std::fmt::Debug>(json: &'j str) -> String {
        let error = serde_json::from_str::<T>(json).unwrap_err();
        reworded(&error.to_string()).into_owned()
    }

    #[test]
    fn no_type_of_ours_is_named() {
        assert_eq!(said::<i64>("\"a, expected b\""), "expected a whole number");
        assert_eq!(said::<i64>("1.5"), "expected a whole number");
        assert_eq!(said::<u8>("300"), "expected a whole number from 0 to 255");
        assert_eq!(
            said::<i8>("-129"),
            "expected a whole number from -128 to 127"
        );
        assert_eq!(
            said::<std::num::NonZeroU8>("0"),
            "expected a whole number other than 0"
        );
        assert_eq!(said::<f64>("1e999"), "too large");
        assert_eq!(said::<f64>("null"), "expected a number");
        assert_eq!(said::<bool>("1"), "expected true or false");
        assert_eq!(said::<String>("1"), "expected a string");
        assert_eq!(said::<Vec<i64>>("{}"), "expected an array");
        assert_eq!(said::<(i64, i64)>("[1]"), "expected an array");
        assert_eq!(said::<Line>("7"), "expected an object");
        assert_eq!(said::<Word>("\"then\""), "expected `now` or `earliest`");
        assert_eq!(said::<Word>("[]"), "expected another value");
    }

    #[test]
    fn what_a_query_says_is_reworded_as_well() {
        let said = |text: &str| {
            let error = text.parse::<u16>().unwrap_err().to_string();
            reworded(&error).into_owned()
        };
        assert_eq!(said("70000"), "too large");
        assert_eq!(said("-1"), "expected a whole number");
        assert_eq!(said("x"), "expected a whole number");
        assert_eq!(said(""), "expected a whole number");
        assert_eq!(
            reworded(&"x".parse::<bool>().unwrap_err().to_string()),
            "expected true or false"
        );
    }

    #[test]
    fn words_of_our_own_stay() {
        for own in ["expected a currency of 3 letters", "missing field `lines`"] {
            assert_eq!(reworded(own), own);
        }
    }
}
