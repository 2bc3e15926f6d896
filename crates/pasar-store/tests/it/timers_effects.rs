//! Timers and effects as rows.

use std::time::Duration;

use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
    store::Executor,
};
use pasar_types::time::Timestamp;

use crate::bench_db::{Bench, cause};

fn write<T: Send + 'static>(
    bench: &Bench,
    command: impl FnMut(&mut pasar_store::context::Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let answer = bench
        .store
        .write(LaneKey::ZERO, Class::Internal, cause(), command);
    bench.store.run_group(1);
    answer.wait()
}

#[test]
fn a_timer_is_due_once_its_time_has_come_and_only_if_not_cancelled() {
    let bench = Bench::new(Executor::Inline);
    let now = bench.store.clock().now();
    let (early, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
    write(&bench, move |context| {
        context.set_timer("deadline", "a", early)?;
        context.set_timer("deadline", "b", early)?;
        context.set_timer("deadline", "c", late)
    })
    .unwrap();
    assert!(
        write(&bench, move |context| context
            .cancel_timer("deadline", "b", early))
        .unwrap()
    );
    assert!(
        !write(&bench, move |context| context
            .cancel_timer("deadline", "b", early))
        .unwrap()
    );
    assert_eq!(bench.store.next_timer_due().unwrap(), Some(early));
    assert_eq!(bench.store.due_timers(now, 10).unwrap(), []);
    bench.clock.advance(Duration::from_secs(1));
    let due = bench
        .store
        .due_timers(bench.store.clock().now(), 10)
        .unwrap();
    assert_eq!(
        due.iter()
            .map(|timer| timer.key.as_str())
            .collect::<Vec<_>>(),
        ["a"]
    );
}

#[test]
fn only_a_timer_before_all_that_are_known_is_news() {
    let bench = Bench::new(Executor::Inline);
    let mut changed = bench.store.timers_changed();
    let at = |secs| bench.store.clock().now() + Duration::from_secs(secs);
    let set = |due: Timestamp| {
        write(&bench, move |context| {
            context.set_timer("deadline", "a", due)
        })
        .unwrap();
    };
    set(at(10));
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    assert_eq!(bench.store.next_timer_due().unwrap(), Some(at(10)));
    set(at(20));
    assert!(!changed.has_changed().unwrap());
    set(at(5));
    assert!(changed.has_changed().unwrap());
}

#[test]
fn an_effect_is_finished_once() {
    let bench = Bench::new(Executor::Inline);
    let enqueue = |payload: i32| {
        write(&bench, move |context| {
            context.enqueue_effect("q", "call", &payload)
        })
        .unwrap();
        let effects = bench.store.effects_after(0, 10).unwrap();
        effects.last().unwrap().id
    };
    let id = enqueue(42);
    let effect = bench.store.effect(id).unwrap().unwrap();
    assert_eq!((effect.decode::<i32>().unwrap(), effect.attempts), (42, 0));
    let later = bench.store.clock().now() + Duration::from_secs(5);
    assert!(
        write(&bench, move |context| context.retry_effect(
            id,
            later,
            "no answer"
        ))
        .unwrap()
    );
    let effect = bench.store.effect(id).unwrap().unwrap();
    assert_eq!((effect.attempts, effect.due), (1, later));
    assert!(write(&bench, move |context| context.finish_effect(id)).unwrap());
    assert!(
        !write(&bench, move |context| context.finish_effect(id)).unwrap(),
        "a stale worker"
    );
    let next = enqueue(1);
    assert!(next > id, "an id is never used twice");
    assert_eq!(bench.store.effects_after(id, 10).unwrap().len(), 1);
}
