//! Holding a file still for a moment, and copying it as it was.

use std::{path::Path, time::Duration};

use rusqlite::{
    ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{Connection, fault};
use crate::fault::Fault;

/// Pages (of 4 KiB) copied between two calls of whoever shows progress.
const PAGES_AT_ONCE: i32 = 1_000;

impl Connection {
    /// Takes the one write lock, if nobody has it; waits for nobody.
    pub(crate) fn try_begin_write(&self) -> Result<bool, Fault> {
        self.sqlite.busy_timeout(Duration::ZERO).map_err(fault)?;
        match self.sqlite.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => Ok(true),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// A number that changes when another connection has committed something, whoever has it.
    pub(crate) fn data_version(&self) -> Result<i64, Fault> {
        self.sqlite
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .map_err(fault)
    }

    /// Copies what this connection sees into an empty file, which is synced and needs no log beside it. Within a
    /// snapshot that is the snapshot, whatever is committed meanwhile. `each` hears how many pages are left.
    pub(crate) fn copy_to(&self, file: &Path, mut each: impl FnMut(u64)) -> Result<(), Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = rusqlite::Connection::open_with_flags(file, flags).map_err(fault)?;
        copy.pragma_update(None, "synchronous", "FULL")
            .map_err(fault)?;
        let backup = Backup::new(&self.sqlite, &mut copy).map_err(fault)?;
        loop {
            let step = backup.step(PAGES_AT_ONCE).map_err(fault)?;
            each(u64::try_from(backup.progress().remaining).unwrap_or(0));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Nobody else knows of the new file, and a snapshot is not locked out.
                _ => return Err(Fault::Bug("a copy met a lock".to_owned())),
            }
        }
        drop(backup);
        let mode: String = copy
            .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
            .map_err(fault)?;
        if mode != "delete" {
            return Err(Fault::Bug(format!("a copy stayed in mode {mode}")));
        }
        copy.close().map_err(|(_, error)| fault(error))
    }

    /// Looks through the whole file; says the first thing that is wrong with it.
    pub(crate) fn find_damage(&self) -> Result<Option<String>, Fault> {
        let found: String = self
            .sqlite
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(fault)?;
        Ok((found != "ok").then_some(found))
    }
}
