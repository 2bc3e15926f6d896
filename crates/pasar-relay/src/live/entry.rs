//! A message with the frames that were made of it. Each is made when it is first wanted, once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pasar_contracts::api::relay::Format;

use super::sse;
use crate::message::Message;

pub(crate) struct Entry {
    pub(crate) message: Arc<Message>,
    sse: [OnceLock<Bytes>; FORMATS],
}

/// The form in which a group of readers gets messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Sse(Format),
}

const FORMATS: usize = 3;

impl Entry {
    pub(super) fn new(message: Arc<Message>) -> Self {
        Self {
            message,
            sse: Default::default(),
        }
    }

    pub(super) fn frame(&self, encoding: &Encoding) -> Bytes {
        match encoding {
            Encoding::Sse(format) => self.sse[index(*format)]
                .get_or_init(|| sse::event(&self.message, *format))
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
