//! Taking another service's events.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use pasar_contracts::event::Service;
use pasar_store::{
    context::Context,
    fault::Fault,
    feed::FeedEvent,
    follower::{Batch, React, Taken},
    store::Executor,
};
use pasar_types::id::{EpochId, EventId, FlowId};

use crate::bench_db::{Bench, count};

/// Counts every event under its key; faults for the sequences it is told to.
#[derive(Default)]
struct Counting {
    faulty: Mutex<BTreeSet<i64>>,
}

impl React for Counting {
    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        count(context, &event.key, 1)?;
        if self.faulty.lock().contains(&event.sequence) {
            return Err(Fault::Corrupt("on purpose".to_owned()));
        }
        Ok(())
    }
}

fn event(sequence: i64, key: &str) -> Arc<FeedEvent> {
    Arc::new(FeedEvent {
        sequence,
        id: EventId::from_bytes([u8::try_from(sequence).unwrap(); 16]),
        event_type: "foreign.v1".to_owned(),
        key: key.to_owned(),
        keyversion: 1,
        time: pasar_types::time::Timestamp::default(),
        flow: FlowId::from_bytes([9; 16]),
        causation: None,
        traceparent: None,
        actor: "service:payments".to_owned(),
        data: "{}".to_owned(),
        private: None,
    })
}

const EPOCH: EpochId = EpochId::from_bytes([5; 16]);

fn begin(bench: &Bench) {
    let answer = bench.store.begin_following(Service::Payments, EPOCH, None);
    bench.store.run_group(1);
    assert_eq!(answer.wait().unwrap().positions[0].sequence, 0);
}

fn react(bench: &Bench, reactions: &Arc<impl React + 'static>, from: i64, keys: &[&str]) -> Taken {
    let events: Vec<_> = keys
        .iter()
        .zip(from + 1..)
        .map(|(key, place)| event(place, key))
        .collect();
    let upto = from + i64::try_from(events.len()).unwrap();
    let batch = Batch {
        publisher: Service::Payments,
        epoch: EPOCH,
        lane: 0,
        from,
        upto,
        events,
    };
    let answer = bench.store.react(batch, Arc::clone(reactions) as _);
    bench.store.run_group(1);
    answer.wait().unwrap()
}

#[test]
fn a_stretch_taken_twice_has_one_effect() {
    let bench = Bench::new(Executor::Inline);
    let reactions = Arc::new(Counting::default());
    begin(&bench);
    assert_eq!(
        react(&bench, &reactions, 0, &["a", "b", "a"]),
        Taken::Moved { parked: 0 }
    );
    assert_eq!(
        react(&bench, &reactions, 0, &["a", "b", "a"]),
        Taken::Fenced
    );
    assert_eq!((bench.counter("a"), bench.counter("b")), (2, 1));
    assert_eq!(
        react(&bench, &reactions, 3, &["b"]),
        Taken::Moved { parked: 0 }
    );
    assert_eq!(bench.counter("b"), 2);
}

#[test]
fn what_a_reaction_emits_belongs_to_the_flow_of_its_event() {
    let bench = Bench::new(Executor::Inline);
    begin(&bench);
    react(&bench, &Arc::new(Counting::default()), 0, &["a"]);
    let emitted = &bench.store.events_after(0, 10).unwrap()[0];
    assert_eq!(emitted.flow, FlowId::from_bytes([9; 16]));
    assert_eq!(
        emitted.causation,
        Some(EventId::from_bytes([1; 16]).to_string())
    );
    assert_eq!(emitted.actor, "service:payments");
}

/// Counts every event, and breaks a constraint with the last statement for the second.
struct Breaking;

impl React for Breaking {
    fn react(&self, context: &mut Context<'_>, event: &FeedEvent) -> Result<(), Fault> {
        count(context, &event.key, 1)?;
        if event.sequence != 2 {
            return Ok(());
        }
        context.execute_one(
            "the counter",
            "INSERT INTO counter (name, value, version) VALUES (?1, 0, 1)",
            &[&event.key],
        )
    }
}

#[test]
fn an_event_whose_last_statement_fails_parks_its_own_key() {
    let bench = Bench::new(Executor::Inline);
    begin(&bench);
    assert_eq!(
        react(&bench, &Arc::new(Breaking), 0, &["a", "b", "c", "b"]),
        Taken::Moved { parked: 2 }
    );
    assert_eq!(
        (bench.counter("a"), bench.counter("b"), bench.counter("c")),
        (1, 0, 1)
    );
}

#[test]
fn the_last_statement_of_a_whole_stretch_may_be_the_one_that_fails() {
    let bench = Bench::new(Executor::Inline);
    begin(&bench);
    assert_eq!(
        react(&bench, &Arc::new(Breaking), 0, &["a", "b"]),
        Taken::Moved { parked: 1 }
    );
    assert_eq!((bench.counter("a"), bench.counter("b")), (1, 0));
}

#[test]
fn a_faulting_event_parks_its_key_and_others_go_on() {
    let bench = Bench::new(Executor::Inline);
    let reactions = Arc::new(Counting::default());
    reactions.faulty.lock().insert(2);
    begin(&bench);
    assert_eq!(
        react(&bench, &reactions, 0, &["a", "b", "c", "b"]),
        Taken::Moved { parked: 2 }
    );
    assert_eq!(
        (bench.counter("a"), bench.counter("b"), bench.counter("c")),
        (1, 0, 1)
    );
    assert_eq!(
        react(&bench, &reactions, 4, &["b", "a"]),
        Taken::Moved { parked: 1 }
    );
    assert_eq!(
        (bench.counter("a"), bench.counter("b")),
        (2, 0),
        "b waits behind its fault"
    );
    assert_eq!(bench.feed().len(), 3, "what faulted left no event");

    let retry = || {
        let answer = bench
            .store
            .retry_parked(Service::Payments, 0, Arc::clone(&reactions) as _);
        bench.store.run_group(1);
        answer.wait().unwrap()
    };
    assert_eq!(retry(), (0, 3));
    reactions.faulty.lock().clear();
    assert_eq!(retry(), (3, 0));
    assert_eq!(bench.counter("b"), 3);
    assert_eq!(
        react(&bench, &reactions, 6, &["b"]),
        Taken::Moved { parked: 0 }
    );
}
