//! What can be configured. The commented defaults are the binary's `config.default.toml`.

use std::time::Duration;

use pasar_chassis::service::BootError;
use pasar_contracts::api::inventory::LocationInput;
use pasar_types::money::Currency;
use serde::Deserialize;

use crate::location::LocationDetails;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long after an order's own deadline its reservation is taken back, at the earliest. Orders
    /// decides the deadline; this is only the safety net behind it.
    pub reservation_margin_s: u32,
    pub default_location: DefaultLocation,
}

/// The location that is made on the first start. Later it is changed over the API.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultLocation {
    pub name: String,
    /// IANA name.
    pub time_zone: String,
    /// Local time at which a business day ends, `HH:MM`.
    pub cut_off: String,
    pub currency: Currency,
    /// Whether the kitchen starts orders that are not paid yet.
    pub starts_unpaid: bool,
}

/// Orders reads what it missed before it decides deadlines after a boot; the net must be later than that.
const LEAST_MARGIN: Duration = Duration::from_secs(60);

impl Default for Config {
    fn default() -> Self {
        Self {
            reservation_margin_s: 600,
            default_location: DefaultLocation::default(),
        }
    }
}

impl Default for DefaultLocation {
    fn default() -> Self {
        Self {
            name: "Main".to_owned(),
            time_zone: "Asia/Jakarta".to_owned(),
            cut_off: "04:00".to_owned(),
            currency: Currency::IDR,
            starts_unpaid: false,
        }
    }
}

impl Config {
    pub(crate) fn reservation_margin(&self) -> Result<Duration, BootError> {
        let margin = Duration::from_secs(self.reservation_margin_s.into());
        if margin < LEAST_MARGIN {
            return Err(BootError::Invalid(format!(
                "inventory.reservation_margin_s: expected at least {}",
                LEAST_MARGIN.as_secs()
            )));
        }
        Ok(margin)
    }
}

impl DefaultLocation {
    pub(crate) fn details(&self) -> Result<LocationDetails, BootError> {
        let input = LocationInput {
            name: self.name.clone(),
            time_zone: self.time_zone.clone(),
            cut_off: self.cut_off.clone(),
            currency: self.currency,
            starts_unpaid: self.starts_unpaid,
        };
        LocationDetails::new(&input).map_err(|errors| {
            let wrong: Vec<_> = errors
                .iter()
                .map(|error| {
                    format!(
                        "inventory.default_location.{}: {}",
                        error.field, error.detail
                    )
                })
                .collect();
            BootError::Invalid(wrong.join("; "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_acceptable() {
        let config = Config::default();
        assert!(config.default_location.details().is_ok());
        assert_eq!(
            config.reservation_margin().unwrap(),
            Duration::from_secs(600)
        );
    }

    #[test]
    fn a_wrong_value_is_named_by_its_place_in_the_configuration() {
        let wrong = DefaultLocation {
            cut_off: "25:00".to_owned(),
            ..DefaultLocation::default()
        };
        let error = wrong.details().unwrap_err().to_string();
        assert!(
            error.starts_with("inventory.default_location.cut_off:"),
            "{error}"
        );
        let hasty = Config {
            reservation_margin_s: 5,
            ..Config::default()
        };
        assert!(hasty.reservation_margin().is_err());
    }
}
