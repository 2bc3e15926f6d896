//! A feed of users that a test appends to.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use parking_lot::Mutex;
use pasar_contracts::event::Event;
use pasar_feed::follow::{Follow, Reply};
use pasar_store::{fault::Fault, feed::FeedEvent, follower::Position};
use pasar_types::{
    id::{EpochId, EventId, FlowId},
    time::Timestamp,
};
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct FakeFeed {
    events: Mutex<Vec<Arc<FeedEvent>>>,
    head: watch::Sender<i64>,
    trimmed: AtomicI64,
}

impl FakeFeed {
    /// Tells something that is gone before anybody has read it.
    pub(crate) fn append_trimmed<E: Event>(&self, event: &E) {
        let trimmed = i64::try_from(self.events.lock().len()).unwrap() + 1;
        self.trimmed.store(trimmed, SeqCst);
        self.append(event);
    }

    pub(crate) fn append<E: Event>(&self, event: &E) {
        let mut events = self.events.lock();
        let sequence = i64::try_from(events.len()).unwrap() + 1;
        events.push(Arc::new(FeedEvent {
            sequence,
            id: EventId::from_bytes([1; 16]),
            event_type: E::TYPE.to_owned(),
            key: "usr".to_owned(),
            keyversion: sequence,
            time: Timestamp::from_micros(0),
            flow: FlowId::from_bytes([1; 16]),
            causation: None,
            traceparent: None,
            actor: "operator".to_owned(),
            data: serde_json::to_string(event).unwrap(),
            private: None,
        }));
        self.head.send_replace(sequence);
    }
}

impl Follow for FakeFeed {
    fn head(&self) -> Reply<'_, Result<Position, Fault>> {
        let sequence = *self.head.borrow();
        Box::pin(async move {
            Ok(Position {
                epoch: EpochId::from_bytes([1; 16]),
                sequence,
            })
        })
    }

    fn after(&self, after: i64, limit: usize) -> Reply<'_, Result<Vec<Arc<FeedEvent>>, Fault>> {
        let trimmed = self.trimmed.load(SeqCst);
        if after < trimmed {
            return Box::pin(async move { Err(Fault::Trimmed { upto: trimmed }) });
        }
        let events = self.events.lock();
        let found = events
            .iter()
            .filter(|event| event.sequence > after)
            .take(limit)
            .cloned()
            .collect();
        Box::pin(async move { Ok(found) })
    }

    fn grown(&self, past: i64) -> Reply<'_, ()> {
        let mut heads = self.head.subscribe();
        Box::pin(async move {
            let _ = heads.wait_for(|head| *head > past).await;
        })
    }
}
