//! A file a command: what it is, what it decides, its handler and its tests.

pub mod append_messages;
