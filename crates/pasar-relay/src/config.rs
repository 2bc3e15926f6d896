//! The service's configuration. The commented defaults stand in the binary's `config.default.toml`.

use ipnet::IpNet;
use pasar_chassis::service::BootError;
use serde::{Deserialize, Serialize};

use crate::declared::{self, Declared};

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of one message's data.
    pub message_bytes: u64,
    /// Messages that every subscription is done with are kept for this long.
    pub keep_s: u64,
    /// And at most so many bytes of them.
    pub keep_bytes: u64,
    /// A subscription that is behind holds the log for this long at most.
    pub hold_s: u64,
    /// A destination that fails for this long without one success is disabled.
    pub disable_after_s: u64,
    /// How long attempts are remembered.
    pub attempts_keep_s: u64,
    /// How long dead letters are.
    pub dead_letters_keep_s: u64,
    pub connect_timeout_ms: u64,
    pub attempt_timeout_ms: u64,
    /// Networks that deliveries may reach although they are not public.
    pub allowed_networks: Vec<IpNet>,
    /// Deliveries may reach everything. For a laptop; `--demo` sets it.
    pub allow_private_networks: bool,
    /// Anybody on this machine may post to the topic `client`. `--demo` sets it.
    pub open_client_topic: bool,
    /// What is delivered where, besides what is subscribed over the API. Each is known by its `name`.
    pub subscriptions: Vec<Declared>,
}

const DAY_S: u64 = 24 * 60 * 60;

impl Config {
    /// Refuses what cannot work, before anything is opened.
    pub fn check(&self) -> Result<(), BootError> {
        declared::check(&self.subscriptions)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            keep_s: 7 * DAY_S,
            keep_bytes: 4 * 1024 * 1024 * 1024,
            hold_s: 7 * DAY_S,
            disable_after_s: 5 * DAY_S,
            attempts_keep_s: 7 * DAY_S,
            dead_letters_keep_s: 30 * DAY_S,
            connect_timeout_ms: 5_000,
            attempt_timeout_ms: 15_000,
            allowed_networks: Vec::new(),
            allow_private_networks: false,
            open_client_topic: false,
            subscriptions: Vec::new(),
        }
    }
}
