//! Another service's feed, in the test's hand: it publishes what the test says, also twice.

use std::sync::Arc;

use parking_lot::Mutex;
use pasar_contracts::event::{Event, Service};
use pasar_feed::follow::{Follow, Reply};
use pasar_store::{
    cause::Actor,
    clock::{Clock, ManualClock},
    fault::Fault,
    feed::FeedEvent,
    follower::Position,
    ids::{Ids, SeededIds},
};
use pasar_types::{
    id::{EpochId, EventId, FlowId},
    time::Timestamp,
};
use serde::Serialize;
use tokio::sync::watch;

/// A feed that others follow. Cheap to clone.
#[derive(Clone)]
pub struct FakeFeed(Arc<Inner>);

struct Inner {
    publisher: Service,
    epoch: EpochId,
    clock: Arc<dyn Clock>,
    ids: SeededIds,
    events: Mutex<Vec<Arc<FeedEvent>>>,
    head: watch::Sender<i64>,
}

const SEED: u64 = 1_000_003;

impl FakeFeed {
    /// An empty feed on a clock of its own.
    #[must_use]
    pub fn new(publisher: Service) -> Self {
        Self::on_clock(publisher, Arc::new(ManualClock::default()))
    }

    #[must_use]
    pub fn on_clock(publisher: Service, clock: Arc<dyn Clock>) -> Self {
        let ids = SeededIds::new(SEED + publisher as u64);
        let epoch = EpochId::from_uuid(ids.uuid_v7(clock.now()));
        Self(Arc::new(Inner {
            publisher,
            epoch,
            clock,
            ids,
            events: Mutex::default(),
            head: watch::Sender::new(0),
        }))
    }

    /// For [`pasar_feed::follow::Feeds`].
    #[must_use]
    pub fn follow(&self) -> Arc<dyn Follow> {
        Arc::new(self.clone())
    }

    /// Publishes an event, in a flow of its own.
    pub fn push<E: Event>(&self, key: &str, keyversion: i64, event: &E) -> Arc<FeedEvent> {
        self.append(self.event(key, keyversion, event))
    }

    /// Publishes an event that is part of an older flow.
    pub fn push_in<E: Event>(
        &self,
        flow: FlowId,
        key: &str,
        keyversion: i64,
        event: &E,
    ) -> Arc<FeedEvent> {
        self.append(FeedEvent {
            flow,
            ..self.event(key, keyversion, event)
        })
    }

    /// Publishes an event with a part for services only.
    ///
    /// # Panics
    /// If the part cannot be written as JSON.
    pub fn push_private<E: Event, P: Serialize>(
        &self,
        key: &str,
        keyversion: i64,
        event: &E,
        private: &P,
    ) -> Arc<FeedEvent> {
        let private = serde_json::to_string(private).expect("a private part is plain data");
        self.append(FeedEvent {
            private: Some(private),
            ..self.event(key, keyversion, event)
        })
    }

    /// Publishes the same event once more, at a new place: a redelivery.
    pub fn push_again(&self, event: &FeedEvent) -> Arc<FeedEvent> {
        self.append(event.clone())
    }

    /// An event as this feed would publish it, unpublished.
    ///
    /// # Panics
    /// If the event is another publisher's.
    #[must_use]
    pub fn event<E: Event>(&self, key: &str, keyversion: i64, event: &E) -> FeedEvent {
        assert_eq!(E::PUBLISHER, self.0.publisher, "{} is not its own", E::TYPE);
        let now = self.0.clock.now();
        FeedEvent {
            sequence: 0,
            id: EventId::from_uuid(self.0.ids.uuid_v7(now)),
            event_type: E::TYPE.to_owned(),
            key: key.to_owned(),
            keyversion,
            time: now,
            flow: FlowId::from_uuid(self.0.ids.uuid_v7(now)),
            causation: None,
            traceparent: None,
            actor: Actor::Service(self.0.publisher).to_string(),
            data: serde_json::to_string(event).expect("an event is plain data"),
            private: None,
        }
    }

    /// The place of the newest event.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.0.head.borrow()
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn append(&self, mut event: FeedEvent) -> Arc<FeedEvent> {
        let mut events = self.0.events.lock();
        event.sequence = events.last().map_or(1, |last| last.sequence + 1);
        let event = Arc::new(event);
        events.push(Arc::clone(&event));
        drop(events);
        self.0.head.send_replace(event.sequence);
        event
    }
}

impl Follow for FakeFeed {
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        Box::pin(async {
            Ok(Position {
                epoch: self.0.epoch,
                sequence: self.head(),
            })
        })
    }

    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        Box::pin(async move {
            let events = self.0.events.lock();
            let later = events.iter().filter(|event| event.sequence > after);
            Ok(later.take(limit).cloned().collect())
        })
    }

    fn grown(&self, past: i64) -> Reply<'_, ()> {
        Box::pin(async move {
            let mut head = self.0.head.subscribe();
            // The sender lives as long as this feed, which is borrowed.
            let _ = head.wait_for(|head| *head > past).await;
        })
    }
}
