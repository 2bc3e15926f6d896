//! Every service's events, copied into the log. Their private parts are not.

use bytes::Bytes;
use pasar_contracts::event::Service;
use pasar_feed::follower::{Reactions, Route};
use pasar_store::{context::Context, fault::Fault, feed::FeedEvent, lane::LaneKey};
use pasar_types::id::EpochId;

use crate::{
    commands::append_messages,
    message::{Message, Origin},
};

/// What is copied of one service's feed.
pub(crate) struct Copying {
    pub(crate) publisher: Service,
    pub(crate) epoch: EpochId,
}

impl Reactions for Copying {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn route(&self, _: &FeedEvent) -> Result<Route, Fault> {
        Ok(Route::One(LaneKey::of(self.publisher.as_str().as_bytes())))
    }

    fn react(&self, ctx: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        let message = Message {
            position: 0,
            topic: self.publisher.as_str().into(),
            id: event.id.to_string().into(),
            message_type: event.event_type.as_str().into(),
            source: format!("/pasar/{}", self.publisher).into(),
            subject: Some(event.key.as_str().into()),
            key: Some(event.key.as_str().into()),
            time: event.time,
            accepted_at: ctx.now(),
            flow: event.flow,
            causation: event.causation.as_deref().map(Into::into),
            traceparent: event.traceparent.as_deref().map(Into::into),
            actor: event.actor.as_str().into(),
            origin: Some(Origin {
                keyversion: event.keyversion,
                epoch: self.epoch,
                sequence: event.sequence,
            }),
            content_type: None,
            data: Bytes::copy_from_slice(event.data.as_bytes()),
            extensions: None,
        };
        append_messages::put(ctx, message).map(drop)
    }
}
