//! A message with the frames that were made of it. Each is made when it is first wanted, once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pasar_contracts::api::relay::Format;

use super::{message_frame, protobuf, sse, websocket};
use crate::message::Message;

pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    sse: [OnceLock<Bytes>; FORMATS],
    /// What WebSocket frames end with, whatever the subscription is called.
    json: [OnceLock<Bytes>; FORMATS],
    protobuf: OnceLock<Bytes>,
}

/// The form in which a group of readers gets messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Sse(Format),
    /// With the client's name for the subscription.
    WebSocket(Arc<str>, Format),
    Protobuf,
}

const FORMATS: usize = 3;

impl Entry {
    pub(super) fn new(message: Arc<Message>) -> Self {
        Self {
            message,
            sse: Default::default(),
            json: Default::default(),
            protobuf: OnceLock::new(),
        }
    }

    pub(super) fn frame(&self, encoding: &Encoding) -> Bytes {
        match encoding {
            Encoding::Sse(format) => self.sse[index(*format)]
                .get_or_init(|| sse::event(&self.message, *format))
                .clone(),
            Encoding::WebSocket(id, format) => {
                let rest = self.json[index(*format)]
                    .get_or_init(|| message_frame::rest(&self.message, *format));
                websocket::text(&message_frame::begin(id), rest)
            }
            Encoding::Protobuf => self
                .protobuf
                .get_or_init(|| protobuf::message(&self.message))
                .clone(),
        }
    }
}

const fn index(format: Format) -> usize {
    match format {
        Format::Cloudevents => 0,
        Format::Data => 1,
        Format::Raw => 2,
    }
}
