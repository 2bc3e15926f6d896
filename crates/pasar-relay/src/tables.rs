//! All of the relay's SQL, by table.

pub(crate) mod messages;
