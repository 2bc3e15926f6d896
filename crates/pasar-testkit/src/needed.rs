//! What a service says a new follower needs, tried on a key's events.

use std::sync::Arc;

use pasar_store::{feed::FeedEvent, snapshot::Needed};
use pasar_types::{
    id::{EventId, FlowId},
    time::Timestamp,
};
use serde_json::{Value, json};

/// Events that say nothing but their type.
#[must_use]
pub fn plain(types: &[&'static str]) -> Vec<(&'static str, Value)> {
    types
        .iter()
        .map(|event_type| (*event_type, json!({})))
        .collect()
}

/// The places, from 1 on, of the events of one key that are needed after all of them.
#[must_use]
pub fn left(needed: Needed, events: &[(&'static str, Value)]) -> Vec<i64> {
    let mut left = Vec::new();
    for ((event_type, data), sequence) in events.iter().zip(1..) {
        let event = FeedEvent {
            sequence,
            id: EventId::from_bytes([1; 16]),
            event_type: (*event_type).to_owned(),
            key: "key".to_owned(),
            keyversion: sequence,
            time: Timestamp::default(),
            flow: FlowId::from_bytes([1; 16]),
            causation: None,
            traceparent: None,
            actor: "operator".to_owned(),
            data: data.to_string(),
            private: None,
        };
        needed(&mut left, Arc::new(event));
    }
    left.iter().map(|event| event.sequence).collect()
}
