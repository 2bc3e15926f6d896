//! An event of a feed as it travels between processes, and back.

use pasar_contracts::{envelope::Envelope, event::Service};
use pasar_store::feed::FeedEvent;
use pasar_types::id::EpochId;
use serde_json::value::RawValue;

/// The event as its feed serves it. The private part only goes to services of this system.
pub fn wrap(
    event: &FeedEvent,
    publisher: Service,
    epoch: EpochId,
    with_private: bool,
) -> Result<Envelope, serde_json::Error> {
    let private = event.private.clone().filter(|_| with_private);
    Ok(Envelope {
        specversion: Default::default(),
        id: event.id,
        source: format!("/pasar/{publisher}"),
        event_type: event.event_type.clone(),
        subject: event.key.clone(),
        time: event.time,
        datacontenttype: Default::default(),
        correlationid: event.flow,
        causationid: event.causation.clone(),
        traceparent: event.traceparent.clone(),
        actor: event.actor.clone(),
        epoch,
        sequence: event.sequence,
        partitionkey: event.key.clone(),
        keyversion: event.keyversion,
        data: RawValue::from_string(event.data.clone())?,
        private: private.map(RawValue::from_string).transpose()?,
    })
}

/// The event as a follower takes it.
#[must_use]
pub fn unwrap(envelope: Envelope) -> FeedEvent {
    FeedEvent {
        sequence: envelope.sequence,
        id: envelope.id,
        event_type: envelope.event_type,
        key: envelope.subject,
        keyversion: envelope.keyversion,
        time: envelope.time,
        flow: envelope.correlationid,
        causation: envelope.causationid,
        traceparent: envelope.traceparent,
        actor: envelope.actor,
        data: Box::<str>::from(envelope.data).into_string(),
        private: envelope
            .private
            .map(|private| Box::<str>::from(private).into_string()),
    }
}
