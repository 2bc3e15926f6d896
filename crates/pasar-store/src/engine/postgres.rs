//! PostgreSQL: one session a connection, opened again after it was lost, and the end of a group's transaction.

mod arg;
mod control;
mod error;
mod login;
mod merge;
mod reply;
mod row;
mod script;
mod session;
mod statement;
mod tail;
mod wire;

use std::{cell::RefCell, sync::Arc};

use self::{
    arg::Arg,
    control::Control,
    error::{PgError, fault},
    reply::Reply,
    session::Session,
    statement::Form,
};
pub(crate) use self::{
    error::{advice, is_contention, is_lost},
    row::Row,
    script::translated,
};
use super::{Access, Tail, TailFault, Told};
use crate::{
    fault::Fault,
    place::Server,
    value::{ToValue, Value},
};

pub(crate) struct Connection {
    server: Arc<Server>,
    access: Access,
    /// `None` after it was lost, until the next transaction begins.
    session: RefCell<Option<Session>>,
}

impl Connection {
    pub(crate) fn open(server: &Arc<Server>, access: Access) -> Result<Self, Fault> {
        let connection = Self {
            server: Arc::clone(server),
            access,
            session: RefCell::new(None),
        };
        connection.ensure()?;
        Ok(connection)
    }

    /// Refuses a server that answers before what it answered is durable.
    pub(crate) fn check_durability(&self) -> Result<(), Fault> {
        let mut settings = [String::new(), String::new()];
        self.query(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync')",
            &[],
            |row| {
                for (index, setting) in settings.iter_mut().enumerate() {
                    if let crate::value::ValueRef::Text(text) = row.value(index)? {
                        text.clone_into(setting);
                    }
                }
                Ok(true)
            },
        )?;
        let [synchronous, fsync] = settings;
        if synchronous == "off" {
            return Err(fault(PgError::Setting(format!(
                "synchronous_commit is off, so what is answered might not last; \
                 run: ALTER DATABASE \"{}\" SET synchronous_commit = on",
                self.server.database
            ))));
        }
        if fsync == "off" {
            tracing::warn!(server = %self.server, "fsync is off: a crash of its machine may break the database");
        }
        Ok(())
    }

    /// Makes the schema if it is not there: its user may be allowed to use one and to make none.
    pub(crate) fn ensure_schema(&self) -> Result<(), Fault> {
        let schema = &self.server.schema;
        let mut exists = false;
        self.query(
            "SELECT 1 FROM pg_namespace WHERE nspname = ?1",
            &[schema],
            |_| {
                exists = true;
                Ok(false)
            },
        )?;
        if exists {
            return Ok(());
        }
        // The name was checked when the URL was read.
        self.run_script(&format!("CREATE SCHEMA \"{schema}\""))
    }

    pub(crate) fn remove_schema(&self) -> Result<(), Fault> {
        let schema = &self.server.schema;
        self.run_script(&format!(
            "SET client_min_messages = warning; DROP SCHEMA IF EXISTS \"{schema}\" CASCADE"
        ))
    }

    /// In its lane, which other instances leave first.
    pub(crate) fn begin_write(&self, lane: u32) -> Result<(), Fault> {
        let lock = lock_of(&self.server.schema, lane);
        self.begin(&[Control::Begin, Control::Lane(lock), Control::Xid])
    }

    pub(crate) fn begin_read(&self) -> Result<(), Fault> {
        self.begin(&[Control::BeginRead])
    }

    /// For migrations: one instance at a time, however long it takes.
    pub(crate) fn begin_alone(&self) -> Result<(), Fault> {
        self.begin(&[Control::Begin])?;
        self.run_script("SET LOCAL lock_timeout = '120s'; SET LOCAL statement_timeout = 0")?;
        let lock = lock_of(&self.server.schema, MIGRATION_LANE);
        self.query("SELECT pg_advisory_xact_lock(?1)", &[&lock], |_| Ok(true))
    }

    fn begin(&self, controls: &[Control]) -> Result<(), Fault> {
        self.ensure()?;
        self.with(|session| {
            session.begin(controls);
            Ok(())
        })
    }

    fn ensure(&self) -> Result<(), Fault> {
        let mut session = self.session.borrow_mut();
        if session.as_mut().is_none_or(Session::is_stale) {
            let wire = login::open(&self.server, self.access).map_err(fault)?;
            *session = Some(Session::new(wire));
        }
        Ok(())
    }

    /// For what is not a group: reads, migrations, tidying.
    pub(crate) fn commit(&self) -> Result<(), Fault> {
        self.with(|session| {
            if session.is_unsent() && !session.defers() {
                session.forget_waiting();
                return Ok(());
            }
            match self.access {
                Access::Read => session.leave(),
                Access::Write => session.run_control(Control::Commit),
            }
        })
    }

    /// What was lost is rolled back already.
    pub(crate) fn rollback(&self) -> Result<(), Fault> {
        let result = self.with(|session| {
            session.forget_waiting();
            if session.is_unsent() {
                return Ok(());
            }
            session.run_control(Control::Rollback)
        });
        match result {
            Err(_) if self.session.borrow().is_none() => Ok(()),
            other => other,
        }
    }

    /// What was deferred is sent first: a rollback to it takes back nothing that was before.
    pub(crate) fn savepoint(&self) -> Result<(), Fault> {
        self.with(|session| {
            session.run_deferred()?;
            session.queue(Control::Savepoint);
            Ok(())
        })
    }

    pub(crate) fn release(&self) -> Result<(), Fault> {
        self.with(|session| {
            if !session.unqueue(Control::Savepoint) {
                session.queue(Control::Release);
            }
            Ok(())
        })
    }

    pub(crate) fn rollback_to_savepoint(&self) -> Result<(), Fault> {
        self.with(|session| {
            session.roll_back_to_savepoint();
            Ok(())
        })
    }

    /// Whether a transaction is still there, to go on with or to roll back.
    pub(crate) fn in_transaction(&self) -> bool {
        self.session
            .borrow()
            .as_ref()
            .is_some_and(Session::in_transaction)
    }

    /// Fails if a deferred statement does, and after a statement failed that nobody rolled back: the server would take
    /// no more of them, and make a rollback of a commit.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.with(Session::run_deferred)?;
        self.look()
    }

    /// The same as far as it is known already.
    pub(crate) fn look(&self) -> Result<(), Fault> {
        if self.with(|session| Ok(session.has_failed()))? {
            return Err(Fault::Bug(
                "a command went on after the database had refused a statement".to_owned(),
            ));
        }
        Ok(())
    }

    pub(crate) fn run_script(&self, sql: &str) -> Result<(), Fault> {
        self.with(|session| session.run_script(sql))
    }

    pub(crate) fn execute(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<u64, Fault> {
        self.run(sql, params).map(|reply| reply.affected)
    }

    /// Sent with a later statement, or once the group is over. `touches` is what it must touch one row of.
    pub(crate) fn defer(
        &self,
        touches: Option<&'static str>,
        sql: &'static str,
        params: &[&dyn ToValue],
    ) -> Result<(), Fault> {
        let args = args(params)?;
        self.with(|session| session.defer(touches, sql, args))
    }

    /// Calls `each` for every row until it says false.
    pub(crate) fn query(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
        each: impl FnMut(Row<'_>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        handed(&self.run(sql, params)?, each)
    }

    /// Runs a query once for all keys that its `= ?1` may be.
    pub(crate) fn query_among(
        &self,
        sql: &'static str,
        keys: &[Value<'_>],
        params: &[&dyn ToValue],
        each: impl FnMut(Row<'_>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let oid = match keys.first() {
            None => return Ok(()),
            Some(Value::Text(_)) => arg::TEXT,
            Some(Value::Blob(_)) => arg::BYTEA,
            Some(Value::Int(_) | Value::Null) => arg::INT8,
        };
        let mut args = args(params)?;
        args.insert(0, Arg::List(oid, keys.to_vec()));
        let reply = self.with(|session| session.run(sql, Form::Among, &args, None))?;
        handed(&reply, each)
    }

    /// The last statement of a group, and its commit with it.
    pub(crate) fn finish(&self, tail: &mut Tail<'_>) -> Result<Told, TailFault> {
        tail::finish(self, tail)
    }

    fn run(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<Reply, Fault> {
        let args = args(params)?;
        self.with(|session| session.run(sql, Form::One, &args, None))
    }

    /// With the session, unless it is lost. What is written goes to the transaction that was begun or nowhere,
    /// so a lost session is not opened again in the middle of one.
    fn with<T>(&self, run: impl FnOnce(&mut Session) -> Result<T, PgError>) -> Result<T, Fault> {
        let mut slot = self.session.borrow_mut();
        let Some(session) = slot.as_mut() else {
            return Err(fault(PgError::Lost(
                std::io::ErrorKind::NotConnected.into(),
            )));
        };
        run(session).map_err(|error| {
            if error.ends_session() {
                *slot = None;
            }
            fault(error)
        })
    }
}

/// Calls `each` for every row until it says false.
fn handed(
    reply: &Reply,
    mut each: impl FnMut(Row<'_>) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    for row in &reply.rows {
        if !each(Row::new(&reply.columns, row))? {
            break;
        }
    }
    Ok(())
}

fn args<'p>(params: &[&'p dyn ToValue]) -> Result<Vec<Arg<'p>>, Fault> {
    let bindable = params.iter().map(|param| super::bindable(*param));
    bindable.map(|value| value.map(Arg::One)).collect()
}

const MIGRATION_LANE: u32 = u32::MAX;

/// The number of an advisory lock, which is one for the whole database: by schema and lane.
fn lock_of(schema: &str, lane: u32) -> i64 {
    let key = crate::lane::LaneKey::of(format!("pasar:{schema}:{lane}").as_bytes());
    key.number().cast_signed()
}
