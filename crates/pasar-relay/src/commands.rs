//! A file a command: what it is, what it decides, its handler and its tests.

pub mod append_messages;
pub mod change;
pub mod change_subscription;
pub(crate) mod continue_replay;
pub mod create_subscription;
pub mod delete_subscription;
pub mod disable_subscription;
pub mod discard_dead_letters;
pub mod pause_subscription;
pub(crate) mod record_deliveries;
pub mod replay_deliveries;
pub mod resume_subscription;
pub(crate) mod trim_log;
