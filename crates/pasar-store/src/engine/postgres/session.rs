//! A session: prepared statements, and several of them sent at once. What must precede a statement (BEGIN, the
//! lane, a savepoint) waits and travels with it, so that it costs no way to the server and back.

mod deferral;

use std::{collections::HashMap, sync::Arc};

use postgres_protocol::message::frontend::{self, BindError};

use self::deferral::Merge;
use super::{
    arg::Arg,
    control::Control,
    error::{LOCK_TIMEOUT, PgError, ServerError},
    merge::Shape,
    reply::{self, Reply},
    statement::{Form, Key, Statement},
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
    /// Rows that are not written yet, as more may come for the same statement.
    merges: Vec<Merge>,
    shapes: HashMap<Key, Option<Shape>>,
    /// A deferred statement did not touch what it should.
    has_missed: bool,
    /// Of the last ReadyForQuery: `I` outside a transaction, `T` in one, `E` in one that failed.
    status: u8,
    /// Answers that nobody waited for.
    unread: usize,
    /// Of the transaction that writes, once it has begun.
    pub(super) xid: Option<i64>,
}

struct Step {
    key: Key,
    control: Option<Control>,
    is_parsed: bool,
    /// What it must touch so many rows of.
    touches: Option<(&'static str, u64)>,
}

/// Statements that a session keeps prepared. Texts are static, so there are not so many.
const MOST_STATEMENTS: usize = 1_000;

impl Session {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            statements: HashMap::new(),
            names: 0,
            waiting: Vec::new(),
            deferred: Vec::new(),
            merges: Vec::new(),
            shapes: HashMap::new(),
            has_missed: false,
            status: b'I',
            unread: 0,
            xid: None,
        }
    }

    /// Whether it ended while nobody looked, as when the server was started again.
    pub(super) fn is_stale(&mut self) -> bool {
        self.read_unread().is_err() || self.wire.is_stale()
    }

    /// The next statements are of a new transaction.
    pub(super) fn begin(&mut self, controls: &[Control]) {
        self.xid = None;
        self.has_missed = false;
        self.waiting.extend(controls);
    }

    /// A transaction is open, or opens with the next statement.
    pub(super) fn in_transaction(&self) -> bool {
        self.status != b'I' || !self.waiting.is_empty() || self.defers()
    }

    /// A statement failed, and neither the transaction nor a savepoint was rolled back since.
    pub(super) fn has_failed(&self) -> bool {
        let is_mended = || {
            let written = self.deferred.iter().filter_map(|step| step.control);
            let mut all = written.chain(self.waiting.iter().copied());
            all.any(|control| control == Control::RollbackTo)
        };
        self.has_missed || self.status == b'E' && !is_mended()
    }

    /// Nothing of the transaction has reached the server.
    pub(super) const fn is_unsent(&self) -> bool {
        self.status == b'I'
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

    /// Goes back to the savepoint. All before it was sent.
    pub(super) fn roll_back_to_savepoint(&mut self) {
        self.take_back_deferred();
        if !self.unqueue(Control::Savepoint) {
            self.queue(Control::RollbackTo);
            self.queue(Control::Release);
        }
    }

    /// Sends a statement with what waits before it and, if given, with what ends the transaction.
    pub(super) fn run(
        &mut self,
        sql: &'static str,
        form: Form,
        args: &[Arg<'_>],
        end: Option<Control>,
    ) -> Result<Reply, PgError> {
        if end.is_some() {
            // Nothing is committed before it is known to have touched what it should.
            self.run_deferred()?;
        }
        self.write_what_is_named(sql)?;
        let mut steps = self.send_waiting()?;
        let main = steps.len();
        steps.push(self.send(sql, form, args, None)?);
        if let Some(end) = end {
            steps.push(self.send_control(end)?);
        }
        self.finish(&mut steps, main)
    }

    /// Sends what waits, and this last.
    pub(super) fn run_control(&mut self, control: Control) -> Result<(), PgError> {
        self.run_deferred()?;
        let mut steps = self.send_waiting()?;
        let main = steps.len();
        steps.push(self.send_control(control)?);
        self.finish(&mut steps, main).map(drop)
    }

    /// Sends what waits or was deferred, if anything was.
    pub(super) fn run_waiting(&mut self) -> Result<(), PgError> {
        self.write_merges(|_| true)?;
        let mut steps = self.send_waiting()?;
        match steps.len().checked_sub(1) {
            Some(last) => self.finish(&mut steps, last).map(drop),
            None => Ok(()),
        }
    }

    /// Ends a transaction that only read, without waiting for the answer.
    pub(super) fn leave(&mut self) -> Result<(), PgError> {
        self.send_control(Control::Commit)?;
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
            steps.push(self.send_control(control)?);
        }
        Ok(steps)
    }

    fn send_control(&mut self, control: Control) -> Result<Step, PgError> {
        match control {
            Control::Lane(lock) => {
                let args = [Arg::One(Value::Int(lock))];
                self.send(control.sql(), Form::One, &args, Some(control))
            }
            _ => self.send(control.sql(), Form::One, &[], Some(control)),
        }
    }

    /// Writes a statement to what is to be sent, prepared there if it is not yet.
    fn send(
        &mut self,
        sql: &'static str,
        form: Form,
        args: &[Arg<'_>],
        control: Option<Control>,
    ) -> Result<Step, PgError> {
        let key = Key::of(sql, form);
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
            let statement = Statement::new(self.names, args, self.statements.get(&key));
            let text = form
                .text(sql, args.len())
                .ok_or(PgError::Protocol("a text that cannot be numbered"))?;
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
        let mut reply = Reply::empty();
        let mut failure = None;
        let mut at = 0;
        loop {
            let Frame { tag, body } = self.wire.read().map_err(PgError::Lost)?;
            match (tag, steps.get_mut(at)) {
                (b'1', Some(step)) => step.is_parsed = true,
                (b't', Some(step)) => {
                    if let Some(statement) = self.statements.get_mut(&step.key) {
                        statement.types = reply::parameters(&body)?;
                    }
                }
                (b'T', Some(step)) => {
                    if let Some(statement) = self.statements.get_mut(&step.key) {
                        statement.columns = reply::columns(&body)?;
                    }
                }
                (b'D', Some(step)) if step.control == Some(Control::Xid) => {
                    self.xid = body.last_chunk().copied().map(i64::from_be_bytes);
                }
                (b'D', Some(_)) if at == main => reply.rows.push(body),
                (b'C', Some(step)) => {
                    let touched = reply::affected(&body);
                    if at == main {
                        reply.affected = touched;
                    }
                    if let Some((what, rows)) = step.touches.filter(|(_, rows)| touched != *rows) {
                        self.has_missed = true;
                        let touched = if touched < rows { 0 } else { touched };
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

fn refusal(error: ServerError, step: Option<&mut Step>) -> PgError {
    let control = step.and_then(|step| step.control);
    if matches!(control, Some(Control::Lane(_))) && error.code == LOCK_TIMEOUT {
        PgError::LaneHeld
    } else {
        PgError::Server(error)
    }
}
