//! Arguments of statements in PostgreSQL's binary form: BIGINT, TEXT, BYTEA, and lists of them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use postgres_protocol::IsNull;

use crate::value::Value;

/// The number by which PostgreSQL knows a type.
pub(super) type Oid = u32;

pub(super) const BOOL: Oid = 16;
pub(super) const BYTEA: Oid = 17;
pub(super) const NAME: Oid = 19;
pub(super) const INT8: Oid = 20;
pub(super) const INT2: Oid = 21;
pub(super) const INT4: Oid = 23;
pub(super) const TEXT: Oid = 25;
pub(super) const VARCHAR: Oid = 1043;
pub(super) const NUMERIC: Oid = 1700;
/// Left to the server, which takes it from where the argument stands.
pub(super) const UNKNOWN: Oid = 0;

pub(super) enum Arg<'a> {
    One(Value<'a>),
    /// A list, whose elements are all of this type or null.
    List(Oid, Vec<Value<'a>>),
}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl Arg<'_> {
    pub(super) fn oid(&self) -> Oid {
        match self {
            Self::One(Value::Null) => UNKNOWN,
            Self::One(Value::Int(_)) => INT8,
            Self::One(Value::Text(_)) => TEXT,
            Self::One(Value::Blob(_)) => BYTEA,
            // The types of their lists.
            Self::List(BYTEA, _) => 1001,
            Self::List(INT8, _) => 1016,
            Self::List(..) => 1009,
        }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) -> Encoded {
        match self {
            Self::One(value) => encode(value, out),
            Self::List(element, values) => {
                // Dimensions, whether there are nulls, the elements' type; then length and first index.
                out.put_i32(i32::from(!values.is_empty()));
                out.put_i32(1);
                out.put_u32(*element);
                if values.is_empty() {
                    return Ok(IsNull::No);
                }
                out.put_i32(i32::try_from(values.len())?);
                out.put_i32(1);
                for value in values {
                    let at = out.len();
                    out.put_i32(-1);
                    if matches!(encode(value, out)?, IsNull::No) {
                        let length = i32::try_from(out.len() - at - 4)?;
                        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
                    }
                }
                Ok(IsNull::No)
            }
        }
    }
}

fn encode(value: &Value<'_>, out: &mut BytesMut) -> Encoded {
    match value {
        Value::Null => return Ok(IsNull::Yes),
        Value::Int(int) => out.put_i64(*int),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Blob(bytes) => out.extend_from_slice(bytes),
    }
    Ok(IsNull::No)
}
