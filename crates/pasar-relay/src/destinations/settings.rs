//! Reads a destination's settings into the struct that its kind declares, and says where they are wrong
//! without repeating a value: it may be a secret.

use pasar_chassis::extract::{Objects, reworded};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use utoipa::{
    PartialSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::destination::InvalidSettings;

/// The settings as `T`, which denies unknown fields; `kind` is left out before.
pub fn read<T: DeserializeOwned>(settings: &Map<String, Value>) -> Result<T, InvalidSettings> {
    let mut settings = settings.clone();
    settings.remove("kind");
    serde_path_to_error::deserialize(Objects(Value::Object(settings))).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } => pointer.push_str(&format!("/{key}")),
                Segment::Enum { variant } => pointer.push_str(&format!("/{variant}")),
                Segment::Unknown => {}
            }
        }
        InvalidSettings {
            pointer,
            why: without_values(&reworded(&error.into_inner().to_string())),
        }
    })
}

/// What a kind's settings look like, with the `kind` that names it.
#[must_use]
pub fn schema_of<T: PartialSchema>(kind: &str) -> RefOr<Schema> {
    let mut schema = T::schema();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([kind]))
            .build();
        object.properties.insert("kind".to_owned(), name.into());
        object.required.insert(0, "kind".to_owned());
    }
    schema
}

/// Refuses a field.
pub fn invalid(pointer: &str, why: impl Into<String>) -> InvalidSettings {
    InvalidSettings {
        pointer: pointer.to_owned(),
        why: why.into(),
    }
}

/// serde repeats what it got: `invalid type: string "hunter2", expected u16`.
fn without_values(message: &str) -> String {
    if message.starts_with("missing field") || message.starts_with("unknown field") {
        return message.to_owned();
    }
    match message.rfind("expected ") {
        Some(start) => message[start..].to_owned(),
        None => "expected another value".to_owned(),
    }
}

/// Refuses text that is empty or has control characters or more bytes than `most`.
pub fn check_text(pointer: &str, text: &str, most: usize) -> Result<(), InvalidSettings> {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        return Err(invalid(
            pointer,
            format!("expected 1 to {most} bytes without control characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only read to be refused")]
        port: u16,
        #[expect(dead_code, reason = "only read to be refused")]
        names: Option<Vec<String>>,
    }

    fn refused(settings: Value) -> String {
        let Value::Object(settings) = settings else {
            panic!("expected an object");
        };
        read::<Example>(&settings).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        assert_eq!(
            refused(json!({"kind": "x", "port": "hunter2"})),
            "destination/port: expected a whole number"
        );
        assert_eq!(
            refused(json!({"port": 1, "names": ["a", 5_318_008]})),
            "destination/names/1: expected a string"
        );
        assert_eq!(refused(json!({})), "destination: missing field `port`");
        assert_eq!(
            refused(json!({"port": 1, "pass": "hunter2"})),
            "destination/pass: unknown field `pass`, expected `port` or `names`"
        );
    }
}
