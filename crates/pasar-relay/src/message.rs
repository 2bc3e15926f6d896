//! A message as it stands in the log.

use bytes::Bytes;
use pasar_types::{
    id::{EpochId, FlowId},
    time::Timestamp,
};

use crate::input::media_type;

/// What the relay was given, by a client or by a service's feed. Shared, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its place in the log: positions grow in the order of commits, from 1.
    pub position: i64,
    pub topic: Box<str>,
    /// Unique in its topic.
    pub id: Box<str>,
    pub message_type: Box<str>,
    /// CloudEvents `source`: `/pasar/orders` for events, `/pasar/client` unless the sender says.
    pub source: Box<str>,
    pub subject: Option<Box<str>>,
    /// CloudEvents `partitionkey`.
    pub key: Option<Box<str>>,
    pub time: Timestamp,
    pub accepted_at: Timestamp,
    pub flow: FlowId,
    pub causation: Option<Box<str>>,
    pub traceparent: Option<Box<str>>,
    pub actor: Box<str>,
    /// Only of events of services.
    pub origin: Option<Origin>,
    /// `None` for `application/json`.
    pub content_type: Option<Box<str>>,
    /// JSON text, or bytes of `content_type`.
    pub data: Bytes,
    /// Other CloudEvents attributes, as the text of a JSON object.
    pub extensions: Option<Box<str>>,
}

/// Where an event stood in its publisher's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub keyversion: i64,
    pub epoch: EpochId,
    pub sequence: i64,
}

impl Message {
    /// Whether `data` is JSON text.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.content_type.as_deref().is_none_or(media_type::is_json)
    }

    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.data.len()
            + self.topic.len()
            + self.id.len()
            + self.message_type.len()
            + self.source.len()
            + self.actor.len()
            + self.extensions.as_ref().map_or(0, |text| text.len())
    }
}
