//! Every service's events, copied into the log. Their private parts are not.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use pasar_contracts::event::Service;
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey};
use pasar_types::{id::EpochId, time::Timestamp};

use crate::{
    commands::append_messages,
    message::{Message, Origin},
    tables::messages,
};

/// What is copied of one service's feed. Writes no event of the relay's own, so that following the relay's
/// feed ends when the feed does.
pub struct Copying {
    publisher: Service,
    /// Told before the first event comes.
    epoch: Mutex<EpochId>,
    source: String,
}

impl Copying {
    #[must_use]
    pub fn new(publisher: Service) -> Self {
        Self {
            publisher,
            epoch: Mutex::new(EpochId::from_bytes([0; 16])),
            source: format!("/pasar/{publisher}"),
        }
    }

    fn message(&self, event: &FeedEvent, accepted_at: Timestamp) -> Message {
        Message {
            position: 0,
            topic: self.publisher.as_str().into(),
            id: event.id.to_string().into(),
            message_type: event.event_type.as_str().into(),
            source: self.source.as_str().into(),
            subject: Some(event.key.as_str().into()),
            key: Some(event.key.as_str().into()),
            time: event.time,
            accepted_at,
            flow: event.flow,
            causation: event.causation.as_deref().map(Into::into),
            traceparent: event.traceparent.as_deref().map(Into::into),
            actor: event.actor.as_str().into(),
            origin: Some(Origin {
                keyversion: event.keyversion,
                epoch: *self.epoch.lock(),
                sequence: event.sequence,
            }),
            content_type: None,
            data: Bytes::copy_from_slice(event.data.as_bytes()),
            extensions: None,
        }
    }
}

/// Every commit costs more than the events in it: an order is ten events of three services.
const GATHER: Duration = Duration::from_millis(10);

impl Reactions for Copying {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn route(&self, _: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::One(LaneKey::of(self.publisher.as_str().as_bytes())))
    }

    fn begins(&self, epoch: EpochId) {
        *self.epoch.lock() = epoch;
    }

    fn gather(&self) -> Duration {
        GATHER
    }

    /// One by one only after a fault: a feed that tells an event twice is no reason to park its key.
    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        let message = self.message(event, ctx.now());
        if messages::by_id(ctx, &message.topic, &message.id)?.is_some() {
            return Ok(());
        }
        append_messages::put(ctx, message).map(drop)
    }

    fn react_all(
        &self,
        ctx: &mut Context<'_>,
        _: Service,
        events: &[Arc<FeedEvent>],
    ) -> Result<(), Fault> {
        let now = ctx.now();
        let bytes = events.iter().map(|event| event.data.len()).sum();
        let messages = events.iter().map(|event| self.message(event, now));
        append_messages::put_all(ctx, messages, bytes)
    }
}
