//! Messages in the form that a subscription wants: made once, and shared by all deliveries that are under way at
//! the same time. It keeps none alive: what nobody sends any more is gone.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pasar_contracts::api::relay::Format;

use crate::{
    format::{self, Encoded},
    message::Message,
};

pub(crate) struct Encodings(Box<[Mutex<Slot>]>);

#[derive(Default)]
struct Slot {
    position: i64,
    format: Format,
    encoded: Weak<Encoded>,
}

/// Messages and formats that are known at once. Two that meet in one place are made more often, nothing else.
const SLOTS: usize = 1_024;

impl Default for Encodings {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| Mutex::default()).collect())
    }
}

impl Encodings {
    /// A message of the log; one that is not in the log, at position 0, is made for itself.
    pub(crate) fn get(&self, message: &Message, format: Format) -> Arc<Encoded> {
        let position = message.position;
        let place = usize::try_from(position).unwrap_or(0) * 3 + format as usize;
        let mut slot = self.0[place % SLOTS].lock();
        if position > 0
            && slot.position == position
            && slot.format == format
            && let Some(encoded) = slot.encoded.upgrade()
        {
            return encoded;
        }
        let encoded = Arc::new(format::encode(message, format));
        *slot = Slot {
            position,
            format,
            encoded: Arc::downgrade(&encoded),
        };
        encoded
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::message;

    fn at(position: i64, text: &str) -> Message {
        let mut message = message("client", None, &json!(text));
        message.position = position;
        message
    }

    #[test]
    fn a_message_is_encoded_once_a_format_while_somebody_has_it() {
        let encodings = Encodings::default();
        let (one, two) = (at(1, "one"), at(2, "two"));
        let first = encodings.get(&one, Format::Cloudevents);
        assert!(Arc::ptr_eq(
            &first,
            &encodings.get(&one, Format::Cloudevents)
        ));
        assert_eq!(encodings.get(&one, Format::Raw).body, "one");
        assert_eq!(encodings.get(&two, Format::Raw).body, "two");
        assert!(Arc::ptr_eq(
            &first,
            &encodings.get(&one, Format::Cloudevents)
        ));
        let gone = Arc::downgrade(&first);
        drop(first);
        assert!(gone.upgrade().is_none(), "it is kept for nobody");
    }

    #[test]
    fn messages_that_meet_in_one_place_are_not_taken_for_each_other() {
        let encodings = Encodings::default();
        let far = i64::try_from(SLOTS).unwrap() + 1;
        for _ in 0..2 {
            let _one = encodings.get(&at(1, "one"), Format::Raw);
            assert_eq!(encodings.get(&at(far, "far"), Format::Raw).body, "far");
        }
        let _test = encodings.get(&at(0, "a test"), Format::Raw);
        assert_eq!(
            encodings.get(&at(0, "another"), Format::Raw).body,
            "another"
        );
    }
}
