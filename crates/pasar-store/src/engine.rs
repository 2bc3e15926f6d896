//! The engine behind [`crate::tx::Tx`]: SQLite in a file, or PostgreSQL. Nothing above knows which; what differs
//! between the two is here.

mod postgres;
pub(crate) mod sqlite;

pub(crate) use postgres::{is_contention, is_lost};

use crate::{
    effect::NewEffect,
    fault::Fault,
    feed::{Ends, FeedEvent},
    place::Place,
    value::{ToValue, Value, ValueRef},
};

/// A connection and its prepared statements. It serves one thread at a time.
pub(crate) enum Connection {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// One row while a query runs.
pub(crate) enum Row<'r> {
    Sqlite(sqlite::Row<'r>),
    Postgres(postgres::Row<'r>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    Read,
}

/// What a group appends as it commits.
pub(crate) struct Tail<'a> {
    /// They get their places.
    pub(crate) events: &'a mut [FeedEvent],
    pub(crate) effects: &'a [NewEffect],
    /// Other processes must hear of it, even where it tells no event.
    pub(crate) has_news: bool,
}

/// The ends of the feed after a commit; `None` if it told nothing, or nobody knows them.
pub(crate) type Told = Option<Ends>;

pub(crate) enum TailFault {
    /// Nothing of the group stands.
    RolledBack(Fault),
    /// Nobody can find out whether it stands.
    Unknown,
    /// Nobody knows what the disk holds; the next start reads it.
    Fatal(Fault),
}

/// A SQLite database has one writer; on PostgreSQL there are as many as the database says.
pub(crate) const SQLITE_LANES: u32 = 1;

macro_rules! either {
    ($self:ident, $connection:ident => $call:expr) => {
        match $self {
            Self::Sqlite($connection) => $call,
            Self::Postgres($connection) => $call,
        }
    };
}

impl Connection {
    pub(crate) fn open(place: &Place, access: Access) -> Result<Self, Fault> {
        match place {
            Place::File(path) => sqlite::Connection::open(path, access).map(Self::Sqlite),
            Place::Postgres(server) => postgres::Connection::open(server, access)
                .map(|connection| Self::Postgres(Box::new(connection))),
        }
    }

    /// Refuses an engine that answers before what it answered is durable.
    pub(crate) fn check_durability(&self) -> Result<(), Fault> {
        match self {
            // It is set by us.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.check_durability(),
        }
    }

    /// How many pages the write-ahead log has, where we are the ones who move it.
    pub(crate) fn wal_pages(&self) -> Option<i64> {
        match self {
            Self::Sqlite(sqlite) => Some(sqlite.wal_pages()),
            Self::Postgres(_) => None,
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.checkpoint(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// The same for all of it, which leaves nothing beside the database, unless somebody else is at it.
    pub(crate) fn empty_log(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.empty_log(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Begins a transaction of a lane. Where several instances write, they take turns in it.
    pub(crate) fn begin_write(&self, lane: u32) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin_write(),
            Self::Postgres(postgres) => postgres.begin_write(lane),
        }
    }

    /// Begins a transaction that changes the schema: one instance at a time.
    pub(crate) fn begin_alone(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin_write(),
            Self::Postgres(postgres) => postgres.begin_alone(),
        }
    }

    /// Begins a consistent snapshot.
    pub(crate) fn begin_read(&self) -> Result<(), Fault> {
        either!(self, connection => connection.begin_read())
    }

    pub(crate) fn commit(&self) -> Result<(), Fault> {
        either!(self, connection => connection.commit())
    }

    /// Ends a group: its last statements, and its commit.
    pub(crate) fn finish(&self, tail: &mut Tail<'_>) -> Result<Told, TailFault> {
        either!(self, connection => connection.finish(tail))
    }

    pub(crate) fn rollback(&self) -> Result<(), Fault> {
        either!(self, connection => connection.rollback())
    }

    pub(crate) fn savepoint(&self) -> Result<(), Fault> {
        either!(self, connection => connection.savepoint())
    }

    pub(crate) fn release(&self) -> Result<(), Fault> {
        either!(self, connection => connection.release())
    }

    pub(crate) fn rollback_to_savepoint(&self) -> Result<(), Fault> {
        either!(self, connection => connection.rollback_to_savepoint())
    }

    /// Whether a transaction is still open: some errors end it on their own.
    pub(crate) fn in_transaction(&self) -> bool {
        either!(self, connection => connection.in_transaction())
    }

    /// Fails unless the transaction takes further statements and can be committed.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        either!(self, connection => connection.check())
    }

    /// The same as far as it is known without asking a server: what was deferred may still fail.
    pub(crate) fn look(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.check(),
            Self::Postgres(postgres) => postgres.look(),
        }
    }

    /// Whether others may write between two statements of a transaction.
    pub(crate) const fn has_many_writers(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs a step of a schema.
    pub(crate) fn run_migration(&self, sql: &str) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run_script(sql),
            Self::Postgres(postgres) => {
                let script = postgres::translated(sql).map_err(Fault::Bug)?;
                postgres.run_script(&script)
            }
        }
    }

    /// Makes the schema that the place names, if it is not there.
    pub(crate) fn ensure_schema(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.ensure_schema(),
        }
    }

    /// Removes the schema that the place names.
    pub(crate) fn remove_schema(&self) -> Result<(), Fault> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.remove_schema(),
        }
    }

    pub(crate) fn execute(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<u64, Fault> {
        either!(self, connection => connection.execute(sql, params))
    }

    /// Runs a statement that must touch one row of something. Where a statement costs a way to a server and back, it
    /// waits for a later one, which then fails in its place.
    pub(crate) fn execute_one(
        &self,
        what: &'static str,
        sql: &'static str,
        params: &[&dyn ToValue],
    ) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => match sqlite.execute(sql, params)? {
                1 => Ok(()),
                rows => Err(touched(what, rows)),
            },
            Self::Postgres(postgres) => postgres.defer(Some(what), sql, params),
        }
    }

    /// The same, whatever it touches.
    pub(crate) fn execute_later(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
    ) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, params).map(drop),
            Self::Postgres(postgres) => postgres.defer(None, sql, params),
        }
    }

    /// Calls `each` for every row that a query has for any of the keys, which are its first parameter in turn.
    pub(crate) fn query_among(
        &self,
        sql: &'static str,
        keys: &[Value<'_>],
        params: &[&dyn ToValue],
        mut each: impl FnMut(Row<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => {
                for key in keys {
                    let mut all: Vec<&dyn ToValue> = vec![key];
                    all.extend(params);
                    sqlite.query(sql, &all, |row| each(Row::Sqlite(row)).map(|()| true))?;
                }
                Ok(())
            }
            Self::Postgres(postgres) => postgres.query_among(sql, keys, params, |row| {
                each(Row::Postgres(row)).map(|()| true)
            }),
        }
    }

    /// Calls `each` for every row until it says false.
    pub(crate) fn query(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut each: impl FnMut(Row<'_>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(sql, params, |row| each(Row::Sqlite(row))),
            Self::Postgres(postgres) => postgres.query(sql, params, |row| each(Row::Postgres(row))),
        }
    }
}

impl<'r> Row<'r> {
    pub(crate) fn value(&self, index: usize) -> Result<ValueRef<'r>, Fault> {
        either!(self, row => row.value(index))
    }
}

/// A parameter's value. PostgreSQL takes no zero character in a text; what one engine refuses, both do.
fn bindable(param: &dyn ToValue) -> Result<Value<'_>, Fault> {
    match param.to_value() {
        Value::Text(text) if text.contains('\0') => Err(Fault::ZeroCharacter),
        value => Ok(value),
    }
}

/// What to do about a database that cannot be opened.
pub(crate) fn open_error(fault: &Fault, place: &Place) -> String {
    let advice = match place {
        Place::File(_) => sqlite::advice(fault).map(str::to_owned),
        Place::Postgres(server) => postgres::advice(fault, &server.database),
    };
    advice.unwrap_or_else(|| "see the cause".to_owned())
}

/// What became of a statement that was to touch one row.
fn touched(what: &'static str, rows: u64) -> Fault {
    match rows {
        0 => Fault::Conflict(what),
        more => Fault::Bug(format!("{more} rows of {what} changed where one was meant")),
    }
}
