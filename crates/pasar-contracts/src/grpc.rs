//! The messages and services of `proto/`, a module a package. `generated/` is written from the definitions by a test
//! of this crate: nothing is needed to build. Messages and API models are turned into each other here, so that REST and
//! gRPC say the same.

pub mod descriptors;
pub mod health;
pub mod inventory;
pub mod orders;
pub mod payments;
pub mod reflection;
pub mod relay;
pub mod types;
pub mod users;

use std::{fmt::Display, str::FromStr};

/// A field of a message that cannot be read as what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// Where: `lines[0].quantity`.
    pub field: String,
    /// What is expected instead.
    pub detail: String,
}

/// A text that means something: an id, a SKU, a currency.
pub fn parsed<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, InvalidField> {
    text.parse().map_err(invalid(field))
}

/// The same where empty means absent.
pub fn optional<T: FromStr<Err: Display>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, InvalidField> {
    if text.is_empty() {
        Ok(None)
    } else {
        parsed(field, text).map(Some)
    }
}

/// A text for people. Databases do not take the character U+0000.
pub fn text(field: &str, text: String) -> Result<String, InvalidField> {
    if text.contains('\0') {
        return Err(invalid(field)("must not contain the character U+0000"));
    }
    Ok(text)
}

/// The same where empty means absent.
pub fn optional_text(field: &str, given: String) -> Result<Option<String>, InvalidField> {
    text(field, given).map(|given| (!given.is_empty()).then_some(given))
}

/// How many rows a page may have; absent if 0. What no page has is refused where pages are cut.
#[must_use]
pub fn limit(rows: u32) -> Option<u16> {
    (rows != 0).then(|| u16::try_from(rows).unwrap_or(u16::MAX))
}

fn invalid<E: Display>(field: &str) -> impl FnOnce(E) -> InvalidField {
    move |error| InvalidField {
        field: field.to_owned(),
        detail: error.to_string(),
    }
}

fn missing(field: &str) -> InvalidField {
    invalid(field)("expected a value")
}

#[cfg(test)]
mod tests {
    use pasar_types::{id::OrderId, sku::Sku};

    use super::*;

    #[test]
    fn empty_means_absent_only_where_it_may() {
        assert_eq!(optional::<Sku>("sku", ""), Ok(None));
        assert!(parsed::<Sku>("sku", "").is_err());
        let wrong = optional::<OrderId>("id", "ord_1").unwrap_err();
        assert_eq!(wrong.field, "id");
        assert!(wrong.detail.contains("ord_"), "{wrong:?}");
    }

    #[test]
    fn a_text_holds_what_databases_take() {
        assert!(optional_text("note", "a\0b".to_owned()).is_err());
        assert_eq!(optional_text("note", String::new()), Ok(None));
    }

    #[test]
    fn a_limit_beyond_all_pages_is_not_cut_to_one_that_fits() {
        assert_eq!(limit(0), None);
        assert_eq!(limit(70_000), Some(u16::MAX));
    }
}
