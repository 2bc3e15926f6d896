//! What a server answers to a statement.

use std::sync::Arc;

use bytes::Bytes;

use super::{arg::Oid, error::PgError};

pub(super) struct Reply {
    pub(super) columns: Arc<[Oid]>,
    pub(super) rows: Vec<Bytes>,
    pub(super) affected: u64,
}

impl Reply {
    pub(super) fn empty() -> Self {
        Self {
            columns: Arc::from([]),
            rows: Vec::new(),
            affected: 0,
        }
    }
}

/// The types in a RowDescription: a count, then for each a name and 18 bytes, the type 6 bytes into them.
pub(super) fn columns(body: &[u8]) -> Result<Arc<[Oid]>, PgError> {
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

/// The types in a ParameterDescription: a count, then each.
pub(super) fn parameters(body: &[u8]) -> Result<Vec<Oid>, PgError> {
    let rest = body
        .get(2..)
        .ok_or(PgError::Protocol("a broken description of parameters"))?;
    let types = rest.chunks_exact(4);
    Ok(types
        .map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]))
        .collect())
}

/// The last word of a command's tag: `INSERT 0 5`, `UPDATE 1`.
pub(super) fn affected(body: &[u8]) -> u64 {
    let tag = std::str::from_utf8(body).unwrap_or_default();
    tag.trim_end_matches('\0')
        .rsplit(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}
