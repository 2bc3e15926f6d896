//! Statements inside a transaction. SQL is written once, with `?1` placeholders and portable types.

use pasar_contracts::event::Service;
use serde::de::DeserializeOwned;

use crate::{
    engine::{self, Connection},
    fault::Fault,
    value::{self, FromValue, ToValue},
};

/// An open transaction, or a consistent snapshot for reading.
pub struct Tx<'c> {
    connection: &'c Connection,
    service: Service,
}

/// One row of an answer.
pub struct Row<'r>(engine::Row<'r>);

impl<'c> Tx<'c> {
    pub(crate) const fn new(connection: &'c Connection, service: Service) -> Self {
        Self {
            connection,
            service,
        }
    }

    /// Runs a statement; returns the rows it touched.
    pub fn execute(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<u64, Fault> {
        self.connection.execute(sql, params)
    }

    /// Runs a statement that must touch exactly one row, which its first parameter helps to name. Otherwise the
    /// command meets `Fault::Conflict(what)` and is run again. It meets it, and a broken constraint, here, with a
    /// later statement, or once it is over: what it read before that is no reason to answer.
    pub fn execute_one(
        &self,
        what: &'static str,
        sql: &'static str,
        params: &[&dyn ToValue],
    ) -> Result<(), Fault> {
        self.connection.execute_one(what, sql, params)
    }

    /// The same for a statement that may touch nothing.
    pub fn execute_later(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<(), Fault> {
        self.connection.execute_later(sql, params)
    }

    /// All rows of a query for each of several keys, in no order. The keys are its first parameter, which it compares
    /// a unique column with (`= ?1`); the others follow. Who asks bounds the keys.
    pub fn query_among<T>(
        &self,
        sql: &'static str,
        keys: &[impl ToValue],
        params: &[&dyn ToValue],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let keys: Vec<_> = keys.iter().map(ToValue::to_value).collect();
        let mut all = Vec::with_capacity(keys.len());
        self.connection.query_among(sql, &keys, params, |row| {
            all.push(map(&Row(row))?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The one row that must exist.
    pub fn query_one<T>(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
        map: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.query_opt(sql, params, map)?
            .ok_or_else(|| Fault::Corrupt(format!("a row is missing in {} ({sql})", self.service)))
    }

    /// The first row, if there is one.
    pub fn query_opt<T>(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut found = None;
        self.connection.query(sql, params, |row| {
            found = Some(map(&Row(row))?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// All rows. The statement bounds them with LIMIT.
    pub fn query_all<T>(
        &self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut map: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        self.connection.query(sql, params, |row| {
            all.push(map(&Row(row))?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// Whose database this is.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    pub(crate) const fn connection(&self) -> &'c Connection {
        self.connection
    }
}

impl Row<'_> {
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Fault> {
        T::from_value(self.0.value(index)?)
            .map_err(|expected| Fault::Corrupt(format!("column {index}: expected {expected}")))
    }

    /// Parses a column of JSON text.
    pub fn json<T: DeserializeOwned>(&self, index: usize) -> Result<T, Fault> {
        let text = value::text(self.0.value(index)?)
            .map_err(|expected| Fault::Corrupt(format!("column {index}: expected {expected}")))?;
        serde_json::from_str(text)
            .map_err(|error| Fault::Corrupt(format!("column {index}: {error}")))
    }
}
