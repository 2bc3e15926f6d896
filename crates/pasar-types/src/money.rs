//! Money as integer minor units of a currency. No floats, no implicit conversion.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An ISO 4217 code such as `IDR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// An amount in minor units (`amount_minor: 2500000` IDR is Rp 25 000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Amount in the currency's minor unit (ISO 4217 exponent).
    #[cfg_attr(feature = "openapi", schema(example = 2_500_000, minimum = -1_000_000_000_000_000_i64, maximum = 1_000_000_000_000_000_i64))]
    pub amount_minor: i64,
    pub currency: Currency,
}

/// Tax in basis points (1100 = 11 %), included in the price. At most 10000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaxRate(u16);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    #[error("expected a currency of three capital letters (ISO 4217), got {0:?}")]
    Currency(String),
    #[error("expected an amount between -{MAX_AMOUNT_MINOR} and {MAX_AMOUNT_MINOR} minor units")]
    OutOfRange,
    #[error("cannot mix {0} with {1}")]
    Mixed(Currency, Currency),
    #[error("expected a decimal amount with at most {exponent} decimals, got {got:?}")]
    Major { got: String, exponent: u32 },
    #[error("expected a tax rate of 0 to 10000 basis points, got {0}")]
    TaxRate(i64),
}

/// The largest amount that is accepted anywhere, in minor units. Ten of them still add up in an `i64`.
pub const MAX_AMOUNT_MINOR: i64 = 1_000_000_000_000_000;

impl Currency {
    pub const IDR: Self = Self(*b"IDR");

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is three ASCII letters")
    }

    /// Decimals between the major and the minor unit (ISO 4217).
    #[must_use]
    pub const fn exponent(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl Money {
    #[must_use]
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self {
            amount_minor,
            currency,
        }
    }

    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads an amount in major units, as people type it (`25000`, `2.50`).
    pub fn from_major(text: &str, currency: Currency) -> Result<Self, InvalidMoney> {
        let exponent = currency.exponent();
        let wrong = || InvalidMoney::Major {
            got: text.to_owned(),
            exponent,
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > exponent as usize {
            return Err(wrong());
        }
        let whole: i64 = whole.parse().map_err(|_| InvalidMoney::OutOfRange)?;
        let padded = format!("{part:0<width$}", width = exponent as usize);
        let part: i64 = if padded.is_empty() {
            0
        } else {
            padded.parse().map_err(|_| wrong())?
        };
        whole
            .checked_mul(10_i64.pow(exponent))
            .and_then(|minor| minor.checked_add(part))
            .filter(|minor| *minor <= MAX_AMOUNT_MINOR)
            .map(|minor| Self::new(minor, currency))
            .ok_or(InvalidMoney::OutOfRange)
    }

    pub fn checked_add(self, other: Self) -> Result<Self, InvalidMoney> {
        self.same_currency(other)?;
        Self::checked(
            self.amount_minor.checked_add(other.amount_minor),
            self.currency,
        )
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, InvalidMoney> {
        self.same_currency(other)?;
        Self::checked(
            self.amount_minor.checked_sub(other.amount_minor),
            self.currency,
        )
    }

    pub fn checked_mul(self, factor: i64) -> Result<Self, InvalidMoney> {
        Self::checked(self.amount_minor.checked_mul(factor), self.currency)
    }

    /// The tax contained in this gross amount, rounded half up to the minor unit.
    #[must_use]
    pub fn tax_included(self, rate: TaxRate) -> Self {
        let gross = i128::from(self.amount_minor);
        let rate = i128::from(rate.0);
        let divisor = 10_000 + rate;
        let tax = (2 * gross * rate + divisor).div_euclid(2 * divisor);
        let tax = i64::try_from(tax).expect("the tax contained in an amount is smaller than it");
        Self::new(tax, self.currency)
    }

    fn same_currency(self, other: Self) -> Result<(), InvalidMoney> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(InvalidMoney::Mixed(self.currency, other.currency))
        }
    }

    fn checked(amount: Option<i64>, currency: Currency) -> Result<Self, InvalidMoney> {
        amount
            .filter(|amount| amount.abs() <= MAX_AMOUNT_MINOR)
            .map(|amount| Self::new(amount, currency))
            .ok_or(InvalidMoney::OutOfRange)
    }
}

impl TaxRate {
    pub fn from_basis_points(basis_points: i64) -> Result<Self, InvalidMoney> {
        u16::try_from(basis_points)
            .ok()
            .filter(|rate| *rate <= 10_000)
            .map(Self)
            .ok_or(InvalidMoney::TaxRate(basis_points))
    }

    #[must_use]
    pub const fn basis_points(self) -> u16 {
        self.0
    }
}

impl<'de> Deserialize<'de> for TaxRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_basis_points(i64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or_else(|| InvalidMoney::Currency(text.chars().take(16).collect()))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{
            RefOr,
            schema::{ObjectBuilder, Schema, Type},
        },
    };

    use super::{Currency, TaxRate};

    impl PartialSchema for Currency {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some("^[A-Z]{3}$"))
                .examples(["IDR"])
                .build()
                .into()
        }
    }

    impl ToSchema for Currency {}

    impl PartialSchema for TaxRate {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(0))
                .maximum(Some(10_000))
                .description(Some(
                    "Tax in basis points, included in the price (1100 = 11 %).",
                ))
                .examples([1100])
                .build()
                .into()
        }
    }

    impl ToSchema for TaxRate {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_units_become_minor_units_by_the_currencys_exponent() {
        let check = |text, code: &str, minor| {
            let money = Money::from_major(text, code.parse().unwrap()).unwrap();
            assert_eq!(money.amount_minor, minor, "{text} {code}");
        };
        check("25000", "IDR", 2_500_000);
        check("2.5", "EUR", 250);
        check("0.05", "EUR", 5);
        check("300", "JPY", 300);
        check("1.234", "KWD", 1234);
    }

    #[test]
    fn amounts_that_people_mistype_are_refused() {
        for text in [
            "",
            "-1",
            "1,5",
            "1.234",
            ".5",
            "1e3",
            "99999999999999999999",
        ] {
            assert!(Money::from_major(text, Currency::IDR).is_err(), "{text}");
        }
    }

    #[test]
    fn included_tax_is_rounded_half_up() {
        let rate = TaxRate::from_basis_points(1100).unwrap();
        let tax = |minor| {
            Money::new(minor, Currency::IDR)
                .tax_included(rate)
                .amount_minor
        };
        assert_eq!(tax(2_500_000), 247_748);
        assert_eq!(tax(0), 0);
        assert_eq!(tax(5), 0);
        assert_eq!(tax(6), 1);
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_overflow() {
        let idr = Money::new(1, Currency::IDR);
        let eur = Money::new(1, "EUR".parse().unwrap());
        assert!(matches!(idr.checked_add(eur), Err(InvalidMoney::Mixed(..))));
        let most = Money::new(MAX_AMOUNT_MINOR, Currency::IDR);
        assert_eq!(most.checked_add(idr), Err(InvalidMoney::OutOfRange));
        assert_eq!(most.checked_mul(i64::MAX), Err(InvalidMoney::OutOfRange));
    }
}
