//! All of the relay's SQL, by table.

pub(crate) mod attempts;
pub(crate) mod dead_letters;
pub(crate) mod flows;
pub(crate) mod messages;
pub(crate) mod nudges;
pub(crate) mod progress;
pub(crate) mod replays;
pub(crate) mod retries;
pub(crate) mod shares;
pub(crate) mod subscriptions;
