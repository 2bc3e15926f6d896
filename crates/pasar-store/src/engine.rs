//! The engine behind [`crate::tx::Tx`]. SQLite; a second one takes its place beside it here.

mod sqlite;

pub(crate) use sqlite::{Access, Connection, Row, open_error};
