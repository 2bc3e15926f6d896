//! What an installation decides about its users. The commented defaults stand in the binary's configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::password::HashConfig;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The account that the first start makes.
    pub admin_email: String,
    /// How long an access token lives, 60 to 3,600.
    pub access_token_s: u64,
    /// How long a refresh token that was used still gets the same successor, 0 to 300.
    pub refresh_grace_s: u64,
    /// A session that is not refreshed for so long ends.
    pub session_idle_days: u32,
    /// A session ends after so long in any case.
    pub session_max_days: u32,
    /// A new signing key is made when the newest is so old.
    pub signing_key_days: u32,
    /// How long the audit trail is kept.
    pub audit_keep_days: u32,
    pub password_hash: HashConfig,
}

#[derive(Debug, thiserror::Error)]
#[error("users.{field} must be {expected}")]
pub struct InvalidConfig {
    pub(crate) field: &'static str,
    pub(crate) expected: &'static str,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Config {
    fn default() -> Self {
        Self {
            admin_email: "admin@localhost".to_owned(),
            access_token_s: 600,
            refresh_grace_s: 30,
            session_idle_days: 30,
            session_max_days: 180,
            signing_key_days: 90,
            audit_keep_days: 365,
            password_hash: HashConfig::default(),
        }
    }
}

impl Config {
    /// Refuses values that would weaken or break the service.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let rules = [
            (
                (60..=3_600).contains(&self.access_token_s),
                "access_token_s",
                "60 to 3600",
            ),
            (self.refresh_grace_s <= 300, "refresh_grace_s", "0 to 300"),
            (
                (1..=365).contains(&self.session_idle_days),
                "session_idle_days",
                "1 to 365",
            ),
            (
                (self.session_idle_days..=3_650).contains(&self.session_max_days),
                "session_max_days",
                "session_idle_days to 3650",
            ),
            (
                (1..=3_650).contains(&self.signing_key_days),
                "signing_key_days",
                "1 to 3650",
            ),
            (
                (1..=3_650).contains(&self.audit_keep_days),
                "audit_keep_days",
                "1 to 3650",
            ),
        ];
        match rules.into_iter().find(|(met, ..)| !met) {
            Some((_, field, expected)) => Err(InvalidConfig { field, expected }),
            None => self.password_hash.check(),
        }
    }

    pub(crate) const fn access_token_life(&self) -> Duration {
        Duration::from_secs(self.access_token_s)
    }

    pub(crate) fn signing_key_age(&self) -> Duration {
        DAY * self.signing_key_days
    }

    pub(crate) fn audit_kept(&self) -> Duration {
        DAY * self.audit_keep_days
    }

    pub(crate) fn lives(&self) -> SessionLives {
        SessionLives {
            grace: Duration::from_secs(self.refresh_grace_s),
            idle: DAY * self.session_idle_days,
            longest: DAY * self.session_max_days,
        }
    }
}

/// How long sessions and their used tokens last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLives {
    pub(crate) grace: Duration,
    pub(crate) idle: Duration,
    pub(crate) longest: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_accepted_and_what_weakens_them_is_not() {
        assert!(Config::default().check().is_ok());
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(|c| c.access_token_s = 86_400), @"users.access_token_s must be 60 to 3600");
        insta::assert_snapshot!(refused(|c| c.refresh_grace_s = 301), @"users.refresh_grace_s must be 0 to 300");
        insta::assert_snapshot!(refused(|c| c.session_max_days = 29), @"users.session_max_days must be session_idle_days to 3650");
        insta::assert_snapshot!(refused(|c| c.password_hash.memory_kib = 1_024), @"users.password_hash.memory_kib must be 19456 to 1048576");
        insta::assert_snapshot!(refused(|c| c.password_hash.queue = 0), @"users.password_hash.queue must be 1 to 10000");
    }
}
