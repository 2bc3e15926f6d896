//! Whoever sends messages, and where they may send them.

use pasar_chassis::{identity::Identity, problem::Problem};
use pasar_contracts::api::relay::DEFAULT_TOPIC;
use pasar_store::cause::Cause;

use super::Api;
use crate::access;

pub(super) struct Sender {
    identity: Identity,
    /// The topic `client` is open, and the sender is on this machine.
    is_at_home: bool,
    pub(super) cause: Cause,
    /// The topic that was allowed last: lines of one body mostly go to one.
    allowed: Option<Box<str>>,
}

impl Sender {
    /// Refuses whoever may not send anything anywhere, before anything of the body is read.
    pub(super) fn admit(
        api: &Api,
        identity: Identity,
        address: Option<std::net::IpAddr>,
        cause: Cause,
    ) -> Result<Self, Problem> {
        let is_at_home =
            api.config.open_client_topic && address.is_some_and(|address| address.is_loopback());
        if !is_at_home {
            access::publish_something(&identity)?;
        }
        Ok(Self {
            identity,
            is_at_home,
            cause,
            allowed: None,
        })
    }

    /// Refuses a topic that they may not send to.
    pub(super) fn check(&mut self, topic: &str) -> Result<(), Problem> {
        if self.allowed.as_deref() == Some(topic) {
            return Ok(());
        }
        if !(self.is_at_home && topic == DEFAULT_TOPIC) {
            access::publish(&self.identity, topic)?;
        }
        self.allowed = Some(topic.into());
        Ok(())
    }
}
