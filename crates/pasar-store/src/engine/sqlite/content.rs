//! What a file holds, before anything is written to it: a database of ours, nothing yet, or what is somebody else's.

use std::path::Path;

use super::fault;
use crate::{engine::Access, fault::Fault};

/// A table that every database of ours has: it comes with the first step of the schema, in one commit.
const OURS: &str = "store_meta";

/// Fails for a file with tables of somebody else, and for reading where there is nothing yet. An empty file is what a
/// first start leaves that was killed early: it is written to, and said aloud if it was there before.
pub(super) fn refuse_foreign(
    connection: &rusqlite::Connection,
    access: Access,
    was_there: Option<&Path>,
) -> Result<(), Fault> {
    let (is_ours, table): (bool, Option<String>) = connection
        .query_row(
            "SELECT COALESCE(MAX(name = ?1), 0), MIN(name) FROM sqlite_schema
             WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
            [OURS],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(fault)?;
    match (is_ours, table, access) {
        (true, _, _) => Ok(()),
        (false, Some(table), _) => Err(Fault::Corrupt(format!(
            "the file is not a database of Pasar: it has a table {table:?}, and no {OURS}"
        ))),
        (false, None, Access::Read) => Err(Fault::Corrupt(
            "the file is empty; if it was copied, its -wal was left behind".to_owned(),
        )),
        (false, None, Access::Write) => {
            if let Some(path) = was_there {
                tracing::warn!(
                    path = %path.display(),
                    "the database was empty and begins anew; if it was copied, its -wal was left behind"
                );
            }
            Ok(())
        }
    }
}
