//! What a single field may hold. A refusal names the field, so that the caller can mend it.

use pasar_chassis::problem::FieldError;
use pasar_types::money::{MAX_AMOUNT_MINOR, Money};

/// One line of text, trimmed, of 1 to `max` characters.
pub(crate) fn text(field: &str, value: &str, max: usize) -> Result<String, FieldError> {
    let text = value.trim();
    if text.is_empty() {
        Err(wrong(field, "expected some text"))
    } else if text.chars().count() > max {
        Err(wrong(field, format!("expected at most {max} characters")))
    } else if text.chars().any(char::is_control) {
        Err(wrong(field, "expected text without control characters"))
    } else {
        Ok(text.to_owned())
    }
}

/// A refusal of one field.
pub(crate) fn wrong(field: &str, detail: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        detail: detail.into(),
    }
}

/// The same for what may be absent.
pub(crate) fn optional_text(
    field: &str,
    value: Option<&str>,
    max: usize,
) -> Result<Option<String>, FieldError> {
    value.map(|value| text(field, value, max)).transpose()
}

/// A price: nothing or more.
pub(crate) fn price(field: &str, value: Money) -> Result<Money, FieldError> {
    if (0..=MAX_AMOUNT_MINOR).contains(&value.amount_minor) {
        Ok(value)
    } else {
        Err(wrong(
            &format!("{field}.amount_minor"),
            format!("expected 0 to {MAX_AMOUNT_MINOR}"),
        ))
    }
}

/// The well-formed part of BCP 47 (RFC 5646): subtags of 1 to 8 letters or digits, a language first.
pub(crate) fn is_language_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    let is_subtag = |subtag: &str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    tag.len() <= 35
        && (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && subtags.all(is_subtag)
}

#[cfg(test)]
mod tests {
    use pasar_types::money::Currency;

    use super::*;

    #[test]
    fn text_is_trimmed_and_bounded_in_characters_not_bytes() {
        assert_eq!(text("name", "  Kopi ", 10).unwrap(), "Kopi");
        assert_eq!(text("name", "ééé", 3).unwrap(), "ééé");
        for wrong in ["", "   ", "éééé", "a\nb"] {
            assert_eq!(
                text("name", wrong, 3).unwrap_err().field,
                "name",
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_price_is_never_negative_nor_beyond_what_adds_up() {
        let check = |minor| price("price", Money::new(minor, Currency::IDR)).is_ok();
        assert!(check(0) && check(MAX_AMOUNT_MINOR));
        assert!(!check(-1) && !check(MAX_AMOUNT_MINOR + 1) && !check(i64::MIN));
    }

    #[test]
    fn language_tags_are_told_from_other_text() {
        for tag in ["id", "en", "zh-Hant-TW", "de-CH-1996"] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for tag in [
            "",
            "e",
            "1d",
            "en_US",
            "en-",
            "-en",
            "en-toolongsubtag",
            "kopi susu",
        ] {
            assert!(!is_language_tag(tag), "{tag}");
        }
    }
}
