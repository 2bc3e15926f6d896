//! Names at a destination with places to fill in: `shop/{topic}/{key}`. Checked when a subscription is made,
//! filled in for each message.

use crate::message::Message;

/// What a message without a key fills in for `{key}`.
pub const NO_KEY: &str = "-";

/// Bytes of a name as it is written in the settings.
pub const MAX_TEMPLATE_BYTES: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Topic,
    Type,
    Key,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    #[error("expected 1 to {MAX_TEMPLATE_BYTES} bytes")]
    Length,
    #[error("expected text with {{topic}}, {{type}} or {{key}} in it, but there is {{{0}}}")]
    Unknown(String),
    #[error("expected every {{ to have its }}")]
    Unbalanced,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        if text.is_empty() || text.len() > MAX_TEMPLATE_BYTES {
            return Err(InvalidTemplate::Length);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            if start > 0 {
                parts.push(Part::Text(rest[..start].into()));
            }
            let inside = rest[start..]
                .strip_prefix('{')
                .ok_or(InvalidTemplate::Unbalanced)?;
            let (name, after) = inside.split_once('}').ok_or(InvalidTemplate::Unbalanced)?;
            parts.push(match name {
                "topic" => Part::Topic,
                "type" => Part::Type,
                "key" => Part::Key,
                other => return Err(InvalidTemplate::Unknown(other.to_owned())),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self(parts))
    }

    /// The name for a message. What type and key hold is the sender's: a character that is not allowed in
    /// them (and `%`) is percent-encoded, so that no sender reaches a name that the settings do not mean.
    #[must_use]
    pub fn fill(&self, message: &Message, allowed: fn(char) -> bool) -> String {
        self.fill_with(message, allowed, allowed)
    }

    /// The same where a key may hold other characters than a type.
    #[must_use]
    pub fn fill_with(
        &self,
        message: &Message,
        in_type: fn(char) -> bool,
        in_key: fn(char) -> bool,
    ) -> String {
        let mut name = String::with_capacity(64);
        for part in &self.0 {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Topic => name.push_str(&message.topic),
                Part::Type => encode(&message.message_type, in_type, &mut name),
                Part::Key => match &message.key {
                    Some(key) if !key.is_empty() => encode(key, in_key, &mut name),
                    _ => name.push_str(NO_KEY),
                },
            }
        }
        name
    }

    /// The text between the placeholders, to be checked by the kind.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(&**text),
            Part::Topic | Part::Type | Part::Key => None,
        })
    }

    /// Whether senders choose how many names there are.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.0.contains(&Part::Key)
    }
}

fn encode(text: &str, allowed: fn(char) -> bool, into: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for character in text.chars() {
        if character != '%' && !character.is_control() && allowed(character) {
            into.push(character);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destinations::attributes::tests::message;

    #[test]
    fn places_are_filled_in_from_the_message() {
        let template = Template::parse("shop/{topic}/{type}:{key}").unwrap();
        let mut message = message();
        assert_eq!(
            template.fill(&message, |_| true),
            "shop/orders/order.ready.v1:ord_1"
        );
        message.key = None;
        assert_eq!(
            template.fill(&message, |_| true),
            "shop/orders/order.ready.v1:-"
        );
    }

    #[test]
    fn a_key_cannot_reach_another_name() {
        let template = Template::parse("shop/{key}").unwrap();
        let mut message = message();
        message.key = Some("../#%2F\n\u{e4}".into());
        assert_eq!(
            template.fill(&message, |character| !matches!(character, '/' | '#')),
            "shop/..%2F%23%252F%0A\u{e4}"
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert_eq!(Template::parse(""), Err(InvalidTemplate::Length));
        assert_eq!(
            Template::parse("a{id}"),
            Err(InvalidTemplate::Unknown("id".into()))
        );
        for text in ["a{key", "a}", "{", "{topic}}"] {
            assert_eq!(
                Template::parse(text),
                Err(InvalidTemplate::Unbalanced),
                "{text}"
            );
        }
    }
}
