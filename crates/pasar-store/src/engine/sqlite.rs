//! SQLite: bundled, in WAL mode, synced at every commit, with cached statements.

mod content;
mod copy;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rusqlite::{CachedStatement, ErrorCode, OpenFlags, config::DbConfig, ffi, types};

use super::{Access, Tail, TailFault, Told};
use crate::{
    crash::{self, CrashPoint},
    effect,
    fault::{EngineError, Fault},
    feed,
    value::{ToValue, Value, ValueRef},
};

/// A connection and its statement cache.
pub(crate) struct Connection {
    sqlite: rusqlite::Connection,
    /// Pages in the WAL after this connection's last commit.
    wal_pages: Arc<AtomicI64>,
}

/// One row while a query runs.
pub(crate) struct Row<'r>(&'r rusqlite::Row<'r>);

/// The WAL corruption fixed in 3.51.3 must not be under anybody's orders.
const OLDEST_SQLITE: i32 = 3_051_003;
const STATEMENTS_CACHED: usize = 128;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Nobody must wait long for a process to end.
const BUSY_TIMEOUT_AT_END: Duration = Duration::from_millis(250);
/// The WAL file is cut back to this after a checkpoint.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// After a page was split SQLite looks through the whole cache at the next commit, so more is not better.
const WRITER_CACHE_KIB: i64 = 4 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;

impl Connection {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Fault> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(Fault::Bug(format!(
                "SQLite {} is too old",
                rusqlite::version()
            )));
        }
        let flags = match access {
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let was_there = path.exists();
        let mut connection = rusqlite::Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
        // Before anything is changed in it.
        content::refuse_foreign(&connection, access, was_there.then_some(path))?;
        // Otherwise a statement that compares with a parameter may be planned anew whenever it is bound.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(fault)?;
        let pragma = |name: &str, value: &dyn rusqlite::ToSql| {
            connection.pragma_update(None, name, value).map_err(fault)
        };
        pragma("temp_store", &"MEMORY")?;
        match access {
            Access::Write => {
                pragma("journal_mode", &"WAL")?;
                pragma("synchronous", &"FULL")?;
                pragma("foreign_keys", &"ON")?;
                pragma("journal_size_limit", &WAL_BYTES_KEPT)?;
                pragma("cache_size", &-WRITER_CACHE_KIB)?;
            }
            Access::Read => pragma("cache_size", &-READER_CACHE_KIB)?,
        }
        let wal_pages = Arc::new(AtomicI64::new(0));
        if access == Access::Write {
            let pages = Arc::clone(&wal_pages);
            // Also ends SQLite's own checkpoints, which would hold up a commit: see `checkpoint`.
            connection
                .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, now| {
                    pages.store(i64::from(now), Ordering::Relaxed);
                    Ok(())
                }))
                .map_err(fault)?;
        }
        Ok(Self {
            sqlite: connection,
            wal_pages,
        })
    }

    pub(crate) fn wal_pages(&self) -> i64 {
        self.wal_pages.load(Ordering::Relaxed)
    }

    /// Moves committed pages from the WAL to the database, as far as readers allow, waiting for nobody.
    pub(crate) fn checkpoint(&self) -> Result<(), Fault> {
        self.query("PRAGMA wal_checkpoint(PASSIVE)", &[], |_| Ok(true))
    }

    /// Moves all of them and cuts the WAL off, unless somebody reads or writes for longer than a moment.
    pub(crate) fn empty_log(&self) -> Result<(), Fault> {
        self.sqlite
            .busy_timeout(BUSY_TIMEOUT_AT_END)
            .map_err(fault)?;
        self.query("PRAGMA wal_checkpoint(TRUNCATE)", &[], |_| Ok(true))
    }

    pub(crate) fn begin_write(&self) -> Result<(), Fault> {
        self.run("BEGIN IMMEDIATE")
    }

    pub(crate) fn begin_read(&self) -> Result<(), Fault> {
        self.run("BEGIN")
    }

    pub(crate) fn commit(&self) -> Result<(), Fault> {
        self.run("COMMIT")
    }

    /// Writes what a group appends, and commits. A failed commit or sync is fatal.
    pub(crate) fn finish(&self, tail: &mut Tail<'_>) -> Result<Told, TailFault> {
        let told = effect::insert(self, tail.effects)
            .and_then(|()| feed::append(self, tail.events, tail.has_news))
            .map_err(
                |fault| match self.in_transaction().then(|| self.rollback()) {
                    Some(Err(fault)) => TailFault::Fatal(fault),
                    _ => TailFault::RolledBack(fault),
                },
            )?;
        crash::at(CrashPoint::FeedAppended);
        self.commit().map_err(TailFault::Fatal)?;
        Ok(told)
    }

    pub(crate) fn rollback(&self) -> Result<(), Fault> {
        self.run("ROLLBACK")
    }

    pub(crate) fn savepoint(&self) -> Result<(), Fault> {
        self.run("SAVEPOINT command")
    }

    pub(crate) fn release(&self) -> Result<(), Fault> {
        self.run("RELEASE command")
    }

    pub(crate) fn rollback_to_savepoint(&self) -> Result<(), Fault> {
        self.run("ROLLBACK TO command")?;
        self.release()
    }

    /// Whether a transaction is still open: some errors end it on their own.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.in_transaction() {
            Ok(())
        } else {
            Err(Fault::Bug(
                "the engine ended the transaction under a command".to_owned(),
            ))
        }
    }

    /// Runs many statements, for migrations.
    pub(crate) fn run_script(&self, sql: &str) -> Result<(), Fault> {
        self.sqlite.execute_batch(sql).map_err(fault)
    }

    pub(crate) fn execute(&self, sql: &str, params: &[&dyn ToValue]) -> Result<u64, Fault> {
        let mut statement = self.bound(sql, params)?;
        statement
            .raw_execute()
            .map(|rows| rows as u64)
            .map_err(fault)
    }

    /// Calls `each` for every row until it says false.
    pub(crate) fn query(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
        mut each: impl FnMut(Row<'_>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let mut statement = self.bound(sql, params)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(fault)? {
            if !each(Row(row))? {
                // A statement that writes (RETURNING) must run to its end.
                while rows.next().map_err(fault)?.is_some() {}
                break;
            }
        }
        Ok(())
    }

    fn bound(&self, sql: &str, params: &[&dyn ToValue]) -> Result<CachedStatement<'_>, Fault> {
        let mut statement = self.sqlite.prepare_cached(sql).map_err(fault)?;
        for (index, param) in params.iter().enumerate() {
            statement
                .raw_bind_parameter(index + 1, Bound(super::bindable(*param)?))
                .map_err(fault)?;
        }
        Ok(statement)
    }

    fn run(&self, sql: &str) -> Result<(), Fault> {
        self.sqlite
            .prepare_cached(sql)
            .and_then(|mut statement| statement.raw_execute())
            .map_err(fault)?;
        Ok(())
    }
}

impl<'r> Row<'r> {
    pub(crate) fn value(&self, index: usize) -> Result<ValueRef<'r>, Fault> {
        Ok(match self.0.get_ref(index).map_err(fault)? {
            types::ValueRef::Null => ValueRef::Null,
            types::ValueRef::Integer(int) => ValueRef::Int(int),
            types::ValueRef::Text(text) => ValueRef::Text(
                std::str::from_utf8(text)
                    .map_err(|_| Fault::Corrupt(format!("column {index}: not UTF-8")))?,
            ),
            types::ValueRef::Blob(bytes) => ValueRef::Blob(bytes),
            types::ValueRef::Real(_) => {
                return Err(Fault::Corrupt(format!("column {index}: a float")));
            }
        })
    }
}

struct Bound<'a>(Value<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<types::ToSqlOutput<'_>> {
        Ok(types::ToSqlOutput::Borrowed(match &self.0 {
            Value::Null => types::ValueRef::Null,
            Value::Int(int) => types::ValueRef::Integer(*int),
            Value::Text(text) => types::ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => types::ValueRef::Blob(bytes),
        }))
    }
}

/// What to do about a file that cannot be opened.
pub(crate) fn advice(fault: &Fault) -> Option<&'static str> {
    let Fault::Database(EngineError(source)) = fault else {
        return None;
    };
    Some(
        match source
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code)
        {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                "check that the data folder exists and that this user may write to it"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                "the file is not a readable database; restore it from a backup"
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds the database; stop it first"
            }
            Some(ErrorCode::DiskFull) => "the disk is full; make room",
            _ => return None,
        },
    )
}

fn fault(error: rusqlite::Error) -> Fault {
    let constraint = matches!(
        &error,
        rusqlite::Error::SqliteFailure(
            ffi::Error {
                code: ErrorCode::ConstraintViolation,
                ..
            },
            _
        )
    );
    let error = EngineError(Arc::new(error));
    if constraint {
        Fault::Constraint(error)
    } else {
        Fault::Database(error)
    }
}
