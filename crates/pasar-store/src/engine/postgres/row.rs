//! A row of an answer, read in place.

use bytes::Bytes;

use super::arg::{BOOL, BYTEA, INT2, INT4, INT8, NAME, Oid, TEXT, VARCHAR};
use crate::{fault::Fault, value::ValueRef};

/// One row while a query's answer is held.
#[derive(Clone, Copy)]
pub(crate) struct Row<'r> {
    columns: &'r [Oid],
    /// A count, and for each value its length (-1 for NULL) and bytes.
    data: &'r Bytes,
}

impl<'r> Row<'r> {
    pub(super) const fn new(columns: &'r [Oid], data: &'r Bytes) -> Self {
        Self { columns, data }
    }

    pub(crate) fn value(&self, index: usize) -> Result<ValueRef<'r>, Fault> {
        let oid = self
            .columns
            .get(index)
            .ok_or_else(|| Fault::Bug(format!("a row has no column {index}")))?;
        let Some(bytes) = self.cell(index).ok_or_else(|| broken(index))? else {
            return Ok(ValueRef::Null);
        };
        match *oid {
            INT8 => fixed(bytes).map(i64::from_be_bytes).map(ValueRef::Int),
            INT4 => fixed(bytes)
                .map(i32::from_be_bytes)
                .map(|int| ValueRef::Int(i64::from(int))),
            INT2 => fixed(bytes)
                .map(i16::from_be_bytes)
                .map(|int| ValueRef::Int(i64::from(int))),
            // The other engine has no such type; there a condition is 0 or 1.
            BOOL => fixed(bytes).map(|[byte]| ValueRef::Int(i64::from(byte))),
            TEXT | VARCHAR | NAME => std::str::from_utf8(bytes).ok().map(ValueRef::Text),
            BYTEA => Some(ValueRef::Blob(bytes)),
            other => {
                return Err(Fault::Bug(format!(
                    "column {index} is of type {other}; cast it to BIGINT, TEXT or BYTEA"
                )));
            }
        }
        .ok_or_else(|| broken(index))
    }

    /// The outer `None` if the row ends before.
    fn cell(&self, index: usize) -> Option<Option<&'r [u8]>> {
        let mut rest = self.data.get(2..)?;
        for at in 0.. {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let (cell, after) = after.split_at_checked(length.unwrap_or(0))?;
            if at == index {
                return Some(length.map(|_| cell));
            }
            rest = after;
        }
        None
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn broken(index: usize) -> Fault {
    Fault::Corrupt(format!("column {index}: not what its type says"))
}
