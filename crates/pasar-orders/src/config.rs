//! The service's configuration. The commented defaults stand in the binary's `config.default.toml`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// An order that is not secured within this time is cancelled.
    pub deadline_s: u64,
    /// A confirmed order that is not paid within this time (cash) is cancelled.
    pub pay_by_s: u64,
    /// Unsettled orders that one customer may have.
    pub most_unsettled_per_customer: u32,
    /// Unsettled orders, over all, from which on no new ones are taken.
    pub most_unsettled: u64,
    /// How long an unknown product waits for the catalogue to be up to date.
    pub catalogue_wait_ms: u64,
    /// How long deadlines wait after boot for what happened in the meantime.
    pub boot_gate_s: u64,
    /// Part of every watch link. Raise it and all links given out so far stop working.
    pub watch_generation: u32,
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("orders.{field}: expected {least} to {most}")]
pub struct InvalidConfig {
    field: &'static str,
    least: u64,
    most: u64,
}

const DAY_S: u64 = 24 * 60 * 60;

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline_s: 15 * 60,
            pay_by_s: 15 * 60,
            most_unsettled_per_customer: 20,
            most_unsettled: 50_000,
            catalogue_wait_ms: 1_000,
            boot_gate_s: 30,
            watch_generation: 1,
        }
    }
}

impl Config {
    /// Judges what the types alone do not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let within = |field, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(InvalidConfig { field, least, most })
            }
        };
        within("deadline_s", self.deadline_s, 1, DAY_S)?;
        within("pay_by_s", self.pay_by_s, 1, 7 * DAY_S)?;
        let per_customer = u64::from(self.most_unsettled_per_customer);
        within("most_unsettled_per_customer", per_customer, 1, 1_000)?;
        within("most_unsettled", self.most_unsettled, 1, 10_000_000)?;
        within("catalogue_wait_ms", self.catalogue_wait_ms, 0, 1_000)?;
        within("boot_gate_s", self.boot_gate_s, 0, 30)
    }

    pub(crate) const fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_s)
    }

    pub(crate) const fn pay_within(&self) -> Duration {
        Duration::from_secs(self.pay_by_s)
    }

    pub(crate) const fn catalogue_wait(&self) -> Duration {
        Duration::from_millis(self.catalogue_wait_ms)
    }

    pub(crate) const fn boot_gate(&self) -> Duration {
        Duration::from_secs(self.boot_gate_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_usable_and_what_would_break_a_rule_is_refused() {
        assert_eq!(Config::default().check(), Ok(()));
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(|c| c.deadline_s = 0), @"orders.deadline_s: expected 1 to 86400");
        insta::assert_snapshot!(refused(|c| c.boot_gate_s = 31), @"orders.boot_gate_s: expected 0 to 30");
        insta::assert_snapshot!(refused(|c| c.catalogue_wait_ms = 1_001), @"orders.catalogue_wait_ms: expected 0 to 1000");
    }
}
