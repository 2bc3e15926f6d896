//! All SQL that writes, and the rows that commands read.

pub mod catalogue;
pub mod numbers;
pub mod orders;
pub mod refunds;

use pasar_contracts::api::{orders::RefundState, payments::PaymentState};
use pasar_store::{
    fault::Fault,
    tx::Row,
    value::{FromValue, ToValue, Value, ValueRef},
};

use crate::{order::StockState, process::Stage};

/// Words in tables, for enums of this crate.
macro_rules! words {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                self.as_str().to_value()
            }
        }

        impl FromValue for $type {
            fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
                read_word(value, &Self::ALL, |word| word.as_str())
            }
        }
    )*};
}

words!(Stage, StockState);

/// The same for words of the contracts.
pub(crate) struct Word<T>(pub(crate) T);

impl FromValue for Word<PaymentState> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        read_word(value, PaymentState::ALL, |word| word.as_str()).map(Self)
    }
}

impl FromValue for Word<RefundState> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        read_word(value, RefundState::ALL, |word| word.as_str()).map(Self)
    }
}

/// A column of JSON text that may be null.
pub(crate) fn json_opt<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    index: usize,
) -> Result<Option<T>, Fault> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| {
        serde_json::from_str(&text)
            .map_err(|error| Fault::Corrupt(format!("column {index}: {error}")))
    })
    .transpose()
}

fn read_word<T: Copy>(
    value: ValueRef<'_>,
    all: &[T],
    as_str: impl Fn(&T) -> &'static str,
) -> Result<T, String> {
    let ValueRef::Text(text) = value else {
        return Err("a word".to_owned());
    };
    all.iter()
        .find(|word| as_str(word) == text)
        .copied()
        .ok_or_else(|| {
            let known: Vec<_> = all.iter().map(&as_str).collect();
            format!("one of {}, found {text:?}", known.join(", "))
        })
}
