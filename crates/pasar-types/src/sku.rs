//! A stock keeping unit: the merchant's own name for a product, as it stands in URLs.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// 1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(Arc<str>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SKU of 1 to 64 letters, digits, '.', '_' or '-', got {0:?}")]
pub struct InvalidSku(String);

const MAX_LENGTH: usize = 64;

impl Sku {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SKU that a product's name suggests: trimmed, in lower case, other characters as single dashes.
    /// `None` if nothing is left.
    #[must_use]
    pub fn slug(name: &str) -> Option<Self> {
        let mut slug = String::with_capacity(name.len());
        for character in name.trim().chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(MAX_LENGTH);
        slug.trim_end_matches('-').parse().ok()
    }
}

impl FromStr for Sku {
    type Err = InvalidSku;

    fn from_str(text: &str) -> Result<Self, InvalidSku> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let valid = (1..=MAX_LENGTH).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(allowed);
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSku(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Sku {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sku {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Sku {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))
            .examples(["kopi-susu"])
            .build()
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Sku {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_url_safe_names_are_skus() {
        for text in ["kopi-susu", "A", "0.5L_bottle"] {
            assert_eq!(text.parse::<Sku>().unwrap().as_str(), text);
        }
        for text in ["", " a", "-a", "a/b", "a b", "é", &"x".repeat(65)] {
            assert!(text.parse::<Sku>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slug_is_made_of_the_trimmed_name() {
        let slug = |name| Sku::slug(name).map(|sku| sku.to_string());
        assert_eq!(slug("  Hot chocolate "), Some("hot-chocolate".into()));
        assert_eq!(
            slug("Ella's Kitchen Pouches"),
            Some("ella-s-kitchen-pouches".into())
        );
        assert_eq!(slug("Tartine (1/2)"), Some("tartine-1-2".into()));
        assert_eq!(slug("''"), None);
    }
}
