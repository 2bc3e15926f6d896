//! A row of an answer, read in place.

use bytes::Bytes;

use super::arg::{BOOL, BYTEA, INT2, INT4, INT8, NAME, NUMERIC, Oid, TEXT, VARCHAR};
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
            // What a sum of BIGINT is there.
            NUMERIC => whole(bytes).map(ValueRef::Int),
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

/// A NUMERIC without a fraction: how many digits of base 10,000, the power of the first, the sign, the decimals
/// shown, and the digits.
fn whole(bytes: &[u8]) -> Option<i64> {
    const BASE: i128 = 10_000;
    const POSITIVE: u16 = 0;
    const NEGATIVE: u16 = 0x4000;
    /// More powers than 64 bits have.
    const MOST_POWERS: i16 = 5;
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let weight = i16::from_be_bytes([head[2], head[3]]);
    let sign = u16::from_be_bytes([head[4], head[5]]);
    let decimals = u16::from_be_bytes([head[6], head[7]]);
    if decimals > 0 || weight > MOST_POWERS || ![POSITIVE, NEGATIVE].contains(&sign) {
        return None;
    }
    let mut digits = digits
        .chunks_exact(2)
        .map(|digit| i128::from(u16::from_be_bytes([digit[0], digit[1]])));
    // Zeros at the end are left out, those of zero itself too.
    let value = (0..=weight).fold(0, |value, _| value * BASE + digits.next().unwrap_or(0));
    i64::try_from(if sign == NEGATIVE { -value } else { value }).ok()
}

fn broken(index: usize) -> Fault {
    Fault::Corrupt(format!("column {index}: not what its type says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_a_whole_number() {
        let numeric = |weight: i16, sign: u16, decimals: u16, digits: &[u16]| {
            let mut bytes = Vec::new();
            let count = u16::try_from(digits.len()).unwrap();
            bytes.extend(count.to_be_bytes());
            bytes.extend(weight.to_be_bytes());
            bytes.extend(sign.to_be_bytes());
            bytes.extend(decimals.to_be_bytes());
            digits
                .iter()
                .for_each(|digit| bytes.extend(digit.to_be_bytes()));
            whole(&bytes)
        };
        assert_eq!(numeric(0, 0, 0, &[]), Some(0));
        assert_eq!(numeric(1, 0, 0, &[12, 345]), Some(120_345));
        assert_eq!(numeric(2, 0x4000, 0, &[5]), Some(-500_000_000));
        assert_eq!(
            numeric(4, 0, 0, &[922, 3372, 368, 5477, 5807]),
            Some(i64::MAX)
        );
        assert_eq!(numeric(5, 0, 0, &[1]), None, "beyond 64 bits");
        assert_eq!(numeric(0, 0, 2, &[1, 5000]), None, "a fraction");
        assert_eq!(numeric(0, 0xC000, 0, &[]), None, "no number");
    }
}
