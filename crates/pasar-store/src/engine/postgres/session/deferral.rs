//! Statements whose answer nobody needs at once: they travel with a later one. Rows for the same statement become
//! one statement for many, unless another statement in between names their table.

use super::{
    super::{
        arg::Arg,
        error::PgError,
        merge,
        statement::{Form, Key},
    },
    Session, Step,
};
use crate::value::Value;

/// Rows that wait for more of their kind.
pub(super) struct Merge {
    sql: &'static str,
    touches: Option<&'static str>,
    table: &'static str,
    inserts: bool,
    /// The values of each argument, row by row.
    columns: Vec<Vec<Value<'static>>>,
    rows: u64,
    bytes: usize,
}

/// What is deferred up to this is sent with the next statement; beyond it, at once.
const MOST_DEFERRED_BYTES: usize = 256 * 1024;

impl Session {
    /// A statement of the transaction still has to be sent.
    pub(in super::super) fn defers(&self) -> bool {
        !self.merges.is_empty() || self.deferred.iter().any(|step| step.control.is_none())
    }

    /// Keeps a statement to be sent with a later one. If it fails, or touches not one row of what it must, that one
    /// does.
    pub(in super::super) fn defer(
        &mut self,
        touches: Option<&'static str>,
        sql: &'static str,
        args: Vec<Arg<'_>>,
    ) -> Result<(), PgError> {
        if self.can_merge(sql, &args) {
            self.merge(touches, sql, args)?;
        } else {
            self.write_what_is_named(sql)?;
            self.write(touches.map(|what| (what, 1)), sql, Form::One, &args)?;
        }
        let merged: usize = self.merges.iter().map(|merge| merge.bytes).sum();
        if self.wire.out.len() + merged > MOST_DEFERRED_BYTES {
            self.run_deferred()?;
        }
        Ok(())
    }

    /// Sends what was deferred, and fails if anything of it does.
    pub(in super::super) fn run_deferred(&mut self) -> Result<(), PgError> {
        self.write_merges(|_| true)?;
        if self.deferred.is_empty() {
            return Ok(());
        }
        let mut steps = std::mem::take(&mut self.deferred);
        let last = steps.len() - 1;
        self.finish(&mut steps, last).map(drop)
    }

    /// Forgets statements that were not sent. What moves the transaction along waits again.
    pub(super) fn take_back_deferred(&mut self) {
        self.has_missed = false;
        self.merges.clear();
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

    /// Writes rows of the tables that a statement names: it must come after them.
    pub(super) fn write_what_is_named(&mut self, sql: &str) -> Result<(), PgError> {
        self.write_merges(|merge| merge::mentions(sql, merge.table))
    }

    pub(super) fn write_merges(&mut self, which: impl Fn(&Merge) -> bool) -> Result<(), PgError> {
        if self.merges.is_empty() {
            return Ok(());
        }
        let merges = std::mem::take(&mut self.merges);
        let (now, later) = merges.into_iter().partition(which);
        self.merges = later;
        for merge in now {
            self.write_merge(merge)?;
        }
        Ok(())
    }

    /// Whether rows may wait for more: the statement is plain, and the server has said what its arguments are.
    fn can_merge(&mut self, sql: &'static str, args: &[Arg<'_>]) -> bool {
        let key = Key::of(sql, Form::One);
        let known = self.statements.get(&key);
        known.is_some_and(|known| known.has_plain_types() && known.fits(args))
            && self.shape(sql).is_some()
    }

    fn shape(&mut self, sql: &'static str) -> Option<merge::Shape> {
        let key = Key::of(sql, Form::One);
        *self
            .shapes
            .entry(key)
            .or_insert_with(|| merge::Shape::of(sql))
    }

    fn merge(
        &mut self,
        touches: Option<&'static str>,
        sql: &'static str,
        args: Vec<Arg<'_>>,
    ) -> Result<(), PgError> {
        let Some(shape) = self.shape(sql) else {
            return Ok(());
        };
        let values: Vec<Value<'static>> = args.into_iter().filter_map(owned).collect();
        // The first argument names the row: what was written to it before comes before.
        self.write_merges(|merge| {
            merge.table == shape.table
                && !(merge.inserts && merge.sql == sql)
                && merge.columns[0].contains(&values[0])
        })?;
        let bytes = values.iter().map(size).sum();
        match self.merges.iter_mut().find(|merge| merge.sql == sql) {
            Some(merge) => {
                for (column, value) in merge.columns.iter_mut().zip(values) {
                    column.push(value);
                }
                merge.rows += 1;
                merge.bytes += bytes;
            }
            None => self.merges.push(Merge {
                sql,
                touches,
                table: shape.table,
                inserts: shape.inserts,
                columns: values.into_iter().map(|value| vec![value]).collect(),
                rows: 1,
                bytes,
            }),
        }
        Ok(())
    }

    fn write_merge(&mut self, merge: Merge) -> Result<(), PgError> {
        let touches = merge.touches.map(|what| (what, merge.rows));
        if merge.rows == 1 {
            let values = merge.columns.into_iter().flatten();
            let args: Vec<_> = values.map(Arg::One).collect();
            return self.write(touches, merge.sql, Form::One, &args);
        }
        let types = &self.statements[&Key::of(merge.sql, Form::One)].types;
        let lists = types.iter().zip(merge.columns);
        let args: Vec<_> = lists.map(|(oid, column)| Arg::List(*oid, column)).collect();
        self.write(touches, merge.sql, Form::Many, &args)
    }

    fn write(
        &mut self,
        touches: Option<(&'static str, u64)>,
        sql: &'static str,
        form: Form,
        args: &[Arg<'_>],
    ) -> Result<(), PgError> {
        self.deferred = self.send_waiting()?;
        let step = self.send(sql, form, args, None)?;
        self.deferred.push(Step { touches, ..step });
        Ok(())
    }
}

fn owned(arg: Arg<'_>) -> Option<Value<'static>> {
    match arg {
        Arg::One(value) => Some(value.into_owned()),
        Arg::List(..) => None,
    }
}

fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Null | Value::Int(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}
