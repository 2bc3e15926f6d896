//! A session: prepared statements, and several of them sent at once. What must precede a statement (BEGIN, the
//! lane, a savepoint) waits and travels with it, so that it costs no way to the server and back; so do statements
//! whose answer nobody needs at once.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use postgres_protocol::message::frontend::{self, BindError};

use super::{
    arg::{Arg, Oid, UNKNOWN},
    error::{LOCK_TIMEOUT, PgError, ServerError},
    script,
    wire::{Frame, Wire},
};
use crate::value::Value;

pub(super) struct Session {
    wire: Wire,
    statements: HashMap<Key, Statement>,
    names: u64,
    /// What is sent before the next statement.
    waiting: Vec<Control>,
    /// What is written to be sent, with what comes next.
    deferred: Vec<Step>,
    /// Of the last ReadyForQuery: `I` outside a transaction, `T` in one, `E` in one that failed.
    status: u8,
    /// Answers that nobody waited for.
    unread: usize,
    /// Of the transaction that writes, once it has begun.
    pub(super) xid: Option<i64>,
}

/// A statement is known by where its text lies: texts are static.
type Key = (usize, usize);

struct Statement {
    name: String,
    types: Vec<Oid>,
    columns: Arc<[Oid]>,
}

/// What moves a transaction along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    Begin,
    BeginRead,
    /// Waits for other instances to leave the lane with this lock.
    Lane(i64),
    Xid,
    Savepoint,
    Release,
    RollbackTo,
    Rollback,
    Commit,
}

/// What a statement answered.
pub(super) struct Reply {
    pub(super) columns: Arc<[Oid]>,
    pub(super) rows: Vec<Bytes>,
    pub(super) affected: u64,
}

struct Step {
    key: Key,
    control: Option<Control>,
    is_parsed: bool,
    /// What it must touch one row of.
    touches: Option<&'static str>,
}

/// What is deferred up to this is sent with the next statement; beyond it, at once.
const MOST_DEFERRED_BYTES: usize = 256 * 1024;
/// Statements that a session keeps prepared. Texts are static, so there are not so many.
const MOST_STATEMENTS: usize = 1_000;

impl Control {
    const fn sql(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Self::BeginRead => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Lane(_) => "SELECT pg_advisory_xact_lock(?1)",
            Self::Xid => "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)",
            Self::Savepoint => "SAVEPOINT command",
            Self::Release => "RELEASE SAVEPOINT command",
            Self::RollbackTo => "ROLLBACK TO SAVEPOINT command",
            Self::Rollback => "ROLLBACK",
            Self::Commit => "COMMIT",
        }
    }
}

impl Session {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            statements: HashMap::new(),
            names: 0,
            waiting: Vec::new(),
            deferred: Vec::new(),
            status: b'I',
            unread: 0,
            xid: None,
        }
    }

    /// Whether it ended while nobody looked, as when the server was started again.
    pub(super) fn is_stale(&mut self) -> bool {
        self.read_unread().is_err() || self.wire.is_stale()
    }

    /// A transaction is open, or opens with the next statement.
    pub(super) fn in_transaction(&self) -> bool {
        self.status != b'I' || !self.waiting.is_empty() || !self.deferred.is_empty()
    }

    /// The server refuses all statements until the transaction, or a savepoint, is rolled back.
    pub(super) fn has_failed(&self) -> bool {
        self.status == b'E' && !self.waiting.contains(&Control::RollbackTo)
    }

    /// Nothing of the transaction has reached the server.
    pub(super) const fn is_unsent(&self) -> bool {
        self.status == b'I'
    }

    /// A statement of the transaction still has to be sent.
    pub(super) fn defers(&self) -> bool {
        self.deferred.iter().any(|step| step.control.is_none())
    }

    pub(super) fn queue(&mut self, control: Control) {
        self.waiting.push(control);
    }

    /// Takes back what was queued last; false if it was something else.
    pub(super) fn unqueue(&mut self, control: Control) -> bool {
        let is_last = self.waiting.last() == Some(&control);
        if is_last {
            self.waiting.pop();
        }
        is_last
    }

    pub(super) fn forget_waiting(&mut self) {
        self.take_back_deferred();
        self.waiting.clear();
    }

    /// Forgets statements that were not sent. What moves the transaction along waits again.
    pub(super) fn take_back_deferred(&mut self) {
        if self.deferred.is_empty() {
            return;
        }
        // Nothing else is written and not sent: whatever is not deferred is sent at once.
        self.wire.out.clear();
        let steps = std::mem::take(&mut self.deferred);
        for step in steps.iter().filter(|step| !step.is_parsed) {
            self.statements.remove(&step.key);
        }
        let controls = steps.iter().filter_map(|step| step.control);
        self.waiting.splice(0..0, controls);
    }

    /// Writes a statement that must touch one row, and sends it with the next one. If it fails, that one does.
    pub(super) fn defer(
        &mut self,
        touches: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<(), PgError> {
        self.deferred = self.send_waiting()?;
        let step = self.send(sql, args, None)?;
        self.deferred.push(Step {
            touches: Some(touches),
            ..step
        });
        if self.wire.out.len() > MOST_DEFERRED_BYTES {
            self.run_deferred()?;
        }
        Ok(())
    }

    /// Sends what was deferred, and fails if anything of it does.
    pub(super) fn run_deferred(&mut self) -> Result<(), PgError> {
        if self.deferred.is_empty() {
            return Ok(());
        }
        let mut steps = std::mem::take(&mut self.deferred);
        let last = steps.len() - 1;
        self.finish(&mut steps, last).map(drop)
    }

    /// Sends a statement with what waits before it and, if given, with what ends the transaction.
    pub(super) fn run(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
        end: Option<Control>,
    ) -> Result<Reply, PgError> {
        if end.is_some() {
            // Nothing is committed before it is known to have touched what it should.
            self.run_deferred()?;
        }
        let mut steps = self.send_waiting()?;
        let main = steps.len();
        steps.push(self.send(sql, args, None)?);
        if let Some(end) = end {
            steps.push(self.send(end.sql(), &[], Some(end))?);
        }
        self.finish(&mut steps, main)
    }

    /// Sends what waits, and this last.
    pub(super) fn run_control(&mut self, control: Control) -> Result<(), PgError> {
        self.run_deferred()?;
        let mut steps = self.send_waiting()?;
        let main = steps.len();
        steps.push(self.send(control.sql(), &[], Some(control))?);
        self.finish(&mut steps, main).map(drop)
    }

    /// Sends what waits or was deferred, if anything was.
    pub(super) fn run_waiting(&mut self) -> Result<(), PgError> {
        let mut steps = self.send_waiting()?;
        match steps.len().checked_sub(1) {
            Some(last) => self.finish(&mut steps, last).map(drop),
            None => Ok(()),
        }
    }

    /// Ends a transaction that only read, without waiting for the answer.
    pub(super) fn leave(&mut self) -> Result<(), PgError> {
        self.send(Control::Commit.sql(), &[], Some(Control::Commit))?;
        frontend::sync(&mut self.wire.out);
        self.wire.flush().map_err(PgError::Lost)?;
        self.unread += 1;
        self.status = b'I';
        Ok(())
    }

    /// Runs statements that are not prepared and answer nothing.
    pub(super) fn run_script(&mut self, sql: &str) -> Result<(), PgError> {
        self.run_waiting()?;
        self.read_unread()?;
        frontend::query(sql, &mut self.wire.out).map_err(PgError::Lost)?;
        self.wire.flush().map_err(PgError::Lost)?;
        let mut failure = None;
        loop {
            let Frame { tag, body } = self.wire.read().map_err(PgError::Lost)?;
            match tag {
                b'E' => failure = Some(ServerError::read(&body)),
                b'Z' => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    return failure.map_or(Ok(()), |error| Err(PgError::Server(error)));
                }
                _ => {}
            }
            if let Some(error) = failure.take_if(|error| error.fatal) {
                return Err(PgError::Server(error));
            }
        }
    }

    /// Writes what waits after what was deferred.
    fn send_waiting(&mut self) -> Result<Vec<Step>, PgError> {
        let mut steps = std::mem::take(&mut self.deferred);
        for control in std::mem::take(&mut self.waiting) {
            let args = match control {
                Control::Lane(lock) => vec![Arg::One(Value::Int(lock))],
                _ => Vec::new(),
            };
            steps.push(self.send(control.sql(), &args, Some(control))?);
        }
        Ok(steps)
    }

    /// Writes a statement to what is to be sent, prepared there if it is not yet.
    fn send(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
        control: Option<Control>,
    ) -> Result<Step, PgError> {
        let key = (sql.as_ptr().addr(), sql.len());
        let out = &mut self.wire.out;
        let known = self.statements.get(&key);
        let fits = known.is_some_and(|known| known.fits(args));
        if !fits {
            if let Some(old) = known {
                frontend::close(b'S', &old.name, out).map_err(PgError::Lost)?;
            } else if self.statements.len() >= MOST_STATEMENTS {
                for (_, old) in self.statements.drain() {
                    frontend::close(b'S', &old.name, out).map_err(PgError::Lost)?;
                }
            }
            self.names += 1;
            let statement = Statement {
                name: format!("s{}", self.names),
                types: types(args, self.statements.get(&key)),
                columns: Arc::from([]),
            };
            let text = script::numbered(sql).ok_or(PgError::Protocol("a ? without its number"))?;
            frontend::parse(&statement.name, &text, statement.types.iter().copied(), out)
                .and_then(|()| frontend::describe(b'S', &statement.name, out))
                .map_err(PgError::Lost)?;
            self.statements.insert(key, statement);
        }
        let name = &self.statements[&key].name;
        frontend::bind("", name, [1], args, Arg::encode, [1], out).map_err(
            |error| match error {
                BindError::Conversion(error) => {
                    PgError::Lost(std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
                }
                BindError::Serialization(error) => PgError::Lost(error),
            },
        )?;
        frontend::execute("", 0, out).map_err(PgError::Lost)?;
        Ok(Step {
            key,
            control,
            is_parsed: fits,
            touches: None,
        })
    }

    /// Sends all, and reads the answer of each.
    fn finish(&mut self, steps: &mut [Step], main: usize) -> Result<Reply, PgError> {
        frontend::sync(&mut self.wire.out);
        self.wire.flush().map_err(PgError::Lost)?;
        self.read_unread()?;
        let mut reply = Reply {
            columns: Arc::from([]),
            rows: Vec::new(),
            affected: 0,
        };
        let mut failure = None;
        let mut at = 0;
        loop {
            let Frame { tag, body } = self.wire.read().map_err(PgError::Lost)?;
            match (tag, steps.get_mut(at)) {
                (b'1', Some(step)) => step.is_parsed = true,
                (b'T', Some(step)) => {
                    if let Some(statement) = self.statements.get_mut(&step.key) {
                        statement.columns = columns(&body)?;
                    }
                }
                (b'D', Some(step)) if step.control == Some(Control::Xid) => {
                    self.xid = body.last_chunk().copied().map(i64::from_be_bytes);
                }
                (b'D', Some(_)) if at == main => reply.rows.push(body),
                (b'C', Some(step)) => {
                    let touched = affected(&body);
                    if at == main {
                        reply.affected = touched;
                    }
                    if let Some(what) = step.touches.filter(|_| touched != 1) {
                        failure.get_or_insert(PgError::Touched(what, touched));
                    }
                    if step.control == Some(Control::Commit) && !body.starts_with(b"COMMIT") {
                        failure = Some(PgError::Protocol("a failed transaction was committed"));
                    }
                    at += 1;
                }
                (b'E', step) => failure = Some(refusal(ServerError::read(&body), step)),
                (b'Z', _) => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    break;
                }
                _ => {}
            }
            if matches!(&failure, Some(PgError::Server(error)) if error.fatal) {
                break;
            }
        }
        for step in steps.iter().filter(|step| !step.is_parsed) {
            self.statements.remove(&step.key);
        }
        match failure {
            Some(error) => Err(error),
            None => {
                if let Some(statement) = steps
                    .get(main)
                    .and_then(|step| self.statements.get(&step.key))
                {
                    reply.columns = Arc::clone(&statement.columns);
                }
                Ok(reply)
            }
        }
    }

    fn read_unread(&mut self) -> Result<(), PgError> {
        while self.unread > 0 {
            let Frame { tag, body } = self.wire.read().map_err(PgError::Lost)?;
            match tag {
                b'Z' => self.unread -= 1,
                b'E' => {
                    let error = ServerError::read(&body);
                    if error.fatal {
                        return Err(PgError::Server(error));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Statement {
    fn fits(&self, args: &[Arg<'_>]) -> bool {
        self.types.len() == args.len()
            && self.types.iter().zip(args).all(|(known, arg)| {
                let oid = arg.oid();
                oid == UNKNOWN || oid == *known
            })
    }
}

/// Nulls say nothing about their type; what an earlier call said still holds.
fn types(args: &[Arg<'_>], before: Option<&Statement>) -> Vec<Oid> {
    let before = before.map_or(&[][..], |before| &before.types);
    args.iter()
        .enumerate()
        .map(|(index, arg)| match arg.oid() {
            UNKNOWN => before.get(index).copied().unwrap_or(UNKNOWN),
            oid => oid,
        })
        .collect()
}

fn refusal(error: ServerError, step: Option<&mut Step>) -> PgError {
    let control = step.and_then(|step| step.control);
    if matches!(control, Some(Control::Lane(_))) && error.code == LOCK_TIMEOUT {
        PgError::LaneHeld
    } else {
        PgError::Server(error)
    }
}

/// The types in a RowDescription: a count, then for each a name and 18 bytes, the type 6 bytes into them.
fn columns(body: &[u8]) -> Result<Arc<[Oid]>, PgError> {
    let broken = || PgError::Protocol("a broken description of rows");
    let mut rest = body.get(2..).ok_or_else(broken)?;
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let name = rest.iter().position(|byte| *byte == 0).ok_or_else(broken)?;
        let (_, after) = rest.split_at(name + 1);
        let (fixed, after) = after.split_first_chunk::<18>().ok_or_else(broken)?;
        columns.push(u32::from_be_bytes([fixed[6], fixed[7], fixed[8], fixed[9]]));
        rest = after;
    }
    Ok(columns.into())
}

/// The last word of a command's tag: `INSERT 0 5`, `UPDATE 1`.
fn affected(body: &[u8]) -> u64 {
    let tag = std::str::from_utf8(body).unwrap_or_default();
    tag.trim_end_matches('\0')
        .rsplit(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}
