//! CloudEvents attributes that mean nothing to the relay: kept as they came, for whoever the message goes to.

use pasar_chassis::problem::Problem;
use serde_json::value::RawValue;

use super::draft::fault_of_text;

/// Other attributes, as the text of a JSON object in the making.
#[derive(Default)]
pub(super) struct Extensions(String);

/// Bytes of the attributes that are kept as they are, as JSON.
const MAX_EXTENSIONS_BYTES: usize = 8 * 1024;
/// CloudEvents asks for 20 characters or fewer; more are taken.
const MAX_ATTRIBUTE_NAME: usize = 64;

impl Extensions {
    /// Already, and with nothing behind it yet.
    pub(super) const fn is_too_large(&self) -> bool {
        self.0.len() > MAX_EXTENSIONS_BYTES
    }

    /// Attributes are strings, booleans and integers, under names of lower-case letters and digits.
    pub(super) fn add(&mut self, name: &str, value: &RawValue) -> Result<(), String> {
        if value.get() == "null" || is_own(name) {
            return Ok(());
        }
        let is_name = (1..=MAX_ATTRIBUTE_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_name {
            return Err(format!(
                "unknown field `{name}`, and the name of an attribute has 1 to {MAX_ATTRIBUTE_NAME} lower-case \
                 letters and digits"
            ));
        }
        let text = value.get();
        let is_value = match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(text)
                .is_ok_and(|text| fault_of_text(&text).is_none()),
            Some(b't' | b'f') => true,
            _ => text.parse::<i32>().is_ok(),
        };
        if !is_value {
            return Err(format!(
                "{name}: expected a string without control characters, a boolean or an integer of 32 bits"
            ));
        }
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(text);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Option<Box<str>>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.0.push('}');
        if self.0.len() > MAX_EXTENSIONS_BYTES {
            let why =
                format!("expected at most {MAX_EXTENSIONS_BYTES} bytes of further attributes");
            return Err(Problem::invalid_field("body", why));
        }
        Ok(Some(self.0.into()))
    }
}

/// Attributes that the relay gives to every message, whatever came.
fn is_own(name: &str) -> bool {
    matches!(name, "position" | "actor")
}
