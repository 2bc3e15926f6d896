//! How many of something: a whole number from 1 to [`MAX_QUANTITY`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The most that one line, intake or adjustment may name.
pub const MAX_QUANTITY: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Quantity(i64);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a quantity from 1 to {MAX_QUANTITY}, got {0}")]
pub struct InvalidQuantity(i64);

impl Quantity {
    pub fn new(count: i64) -> Result<Self, InvalidQuantity> {
        if (1..=MAX_QUANTITY).contains(&count) {
            Ok(Self(count))
        } else {
            Err(InvalidQuantity(count))
        }
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Quantity {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_QUANTITY as f64))
            .examples([2])
            .build()
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Quantity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_to_the_maximum_is_a_quantity() {
        for count in [0, -1, MAX_QUANTITY + 1, i64::MIN, i64::MAX] {
            assert_eq!(Quantity::new(count), Err(InvalidQuantity(count)));
        }
        assert_eq!(Quantity::new(1).unwrap().get(), 1);
        assert!(serde_json::from_str::<Quantity>("1.5").is_err());
        assert!(serde_json::from_str::<Quantity>("\"1\"").is_err());
    }
}
