//! What stands in a column: integers, text and bytes, and how the domain's types become them.

use std::borrow::Cow;

use pasar_contracts::event::Service;
use pasar_types::{
    id::{Id, Kind},
    money::{Currency, TaxRate},
    quantity::Quantity,
    sku::Sku,
    time::Timestamp,
};
use serde::Serialize;

/// A value on its way into a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

/// A value as it stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

pub trait ToValue {
    fn to_value(&self) -> Value<'_>;
}

pub trait FromValue: Sized {
    /// The error says what was expected.
    fn from_value(value: ValueRef<'_>) -> Result<Self, String>;
}

impl Value<'_> {
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(int) => Value::Int(int),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Blob(bytes) => Value::Blob(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// Stores a value as JSON text.
pub struct Json<T>(pub T);

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Int(int) => Value::Int(*int),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        if value == ValueRef::Null {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
}

impl<T: Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Value<'_> {
        let text = serde_json::to_string(&self.0)
            .expect("what is stored as JSON has string keys and no failing serializer");
        Value::Text(Cow::Owned(text))
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                Value::Int(i64::from(*self))
            }
        }

        impl FromValue for $type {
            fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
                i64::from_value(value)?
                    .try_into()
                    .map_err(|_| concat!("an integer that fits in ", stringify!($type)).to_owned())
            }
        }
    )*};
}

integers!(u8, u16, u32, i32);

impl ToValue for i64 {
    fn to_value(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl FromValue for i64 {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match value {
            ValueRef::Int(int) => Ok(int),
            other => Err(format!("an integer, found {}", name(other))),
        }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        match i64::from_value(value)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("0 or 1, found {other}")),
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl FromValue for String {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(Cow::Borrowed(self))
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(Cow::Borrowed(self))
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        blob(value).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(Cow::Borrowed(self))
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        blob(value)?.try_into().map_err(|_| format!("{N} bytes"))
    }
}

impl<K: Kind> ToValue for Id<K> {
    fn to_value(&self) -> Value<'_> {
        Value::Blob(Cow::Borrowed(self.as_bytes()))
    }
}

impl<K: Kind> FromValue for Id<K> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        <[u8; 16]>::from_value(value).map(Self::from_bytes)
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.as_micros())
    }
}

impl FromValue for Timestamp {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        i64::from_value(value).map(Self::from_micros)
    }
}

impl ToValue for Quantity {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.get())
    }
}

impl FromValue for Quantity {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        Self::new(i64::from_value(value)?).map_err(|error| error.to_string())
    }
}

impl ToValue for TaxRate {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(self.basis_points()))
    }
}

impl FromValue for TaxRate {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        Self::from_basis_points(i64::from_value(value)?).map_err(|error| error.to_string())
    }
}

macro_rules! texts {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                Value::Text(Cow::Borrowed(self.as_str()))
            }
        }

        impl FromValue for $type {
            fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
                text(value)?.parse().map_err(|error| format!("{error}"))
            }
        }
    )*};
}

texts!(Sku, Currency, Service);

pub(crate) fn text(value: ValueRef<'_>) -> Result<&str, String> {
    match value {
        ValueRef::Text(text) => Ok(text),
        other => Err(format!("text, found {}", name(other))),
    }
}

fn blob(value: ValueRef<'_>) -> Result<&[u8], String> {
    match value {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(format!("bytes, found {}", name(other))),
    }
}

const fn name(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "null",
        ValueRef::Int(_) => "an integer",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "bytes",
    }
}
