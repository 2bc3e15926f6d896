//! Commands that share a transaction.

use std::time::Duration;

use pasar_store::{
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::{Executor, Store, StoreOptions},
    value::Json,
};
use proptest::prelude::*;

use crate::bench_db::{Bench, Counted, cause, count, submit};

#[test]
fn a_group_answers_after_its_one_commit() {
    let bench = Bench::new(Executor::Inline);
    let answers: Vec<_> = (0..3).map(|_| submit(&bench.store, "a", 1)).collect();
    assert_eq!(bench.store.run_group(10), 3);
    let values: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.wait().unwrap())
        .collect();
    assert_eq!(values, [1, 2, 3]);
    assert_eq!(
        bench.feed(),
        [
            (1, "a".to_owned(), 1),
            (2, "a".to_owned(), 2),
            (3, "a".to_owned(), 3)
        ]
    );
}

#[test]
fn a_fault_takes_back_its_own_command_alone() {
    let bench = Bench::new(Executor::Inline);
    let before = submit(&bench.store, "a", 1);
    let refused = submit(&bench.store, "b", -1);
    let faulty = bench
        .store
        .write(LaneKey::ZERO, Class::Internal, cause(), |context| {
            count(context, "a", 100)?;
            Err::<(), _>(Fault::Bug("on purpose".to_owned()))
        });
    let after = submit(&bench.store, "a", 1);
    bench.store.run_group(10);
    assert_eq!(before.wait().unwrap(), 1);
    assert!(matches!(refused.wait(), Err(Fault::Constraint(_))));
    assert!(matches!(faulty.wait(), Err(Fault::Bug(_))));
    assert_eq!(after.wait().unwrap(), 2);
    assert_eq!(bench.counter("a"), 2);
    assert_eq!(
        bench.feed(),
        [(1, "a".to_owned(), 1), (2, "a".to_owned(), 2)]
    );
}

/// PostgreSQL cannot store it; whoever begins on SQLite must not learn that when they change.
#[test]
fn a_text_with_a_zero_character_is_refused_and_takes_back_its_own_command_alone() {
    let bench = Bench::new(Executor::Inline);
    let write = |command: fn(&mut Context<'_>) -> Result<(), Fault>| {
        bench
            .store
            .write(LaneKey::ZERO, Class::Internal, cause(), move |context| {
                count(context, "a", 100)?;
                command(context)
            })
    };
    let before = submit(&bench.store, "a", 1);
    let refused = [
        write(|context| count(context, "b\0b", 1).map(drop)),
        write(|context| {
            let text = Json(["b\0b"]);
            let sql = "SELECT value FROM counter WHERE name = ?1 OR name = ?2";
            // As JSON it is an escape, and a text like any other.
            context.query_opt(sql, &[&text, &"a"], |_| Ok(()))?;
            context.query_opt(sql, &[&"a", &"\0"], |_| Ok(())).map(drop)
        }),
        write(|context| context.emit("b\0b", 1, &Counted { value: 1 })),
        write(|context| context.enqueue_effect("q\0q", "call", &1)),
        write(|context| context.set_timer("deadline", "b\0b", context.now())),
    ];
    let after = submit(&bench.store, "a", 1);
    bench.store.run_group(10);
    assert_eq!(before.wait().unwrap(), 1);
    for (index, answer) in refused.into_iter().enumerate() {
        let fault = answer.wait().unwrap_err();
        assert!(matches!(fault, Fault::ZeroCharacter), "{index}: {fault:?}");
    }
    assert_eq!(after.wait().unwrap(), 2);
    assert_eq!(
        bench.feed(),
        [(1, "a".to_owned(), 1), (2, "a".to_owned(), 2)]
    );
}

#[test]
fn a_panic_is_a_fault_of_its_own_command() {
    let bench = Bench::new(Executor::Threads);
    let panicking = bench.store.write(
        LaneKey::ZERO,
        Class::Internal,
        cause(),
        |_| -> Result<(), Fault> { panic!("oh") },
    );
    assert!(matches!(panicking.wait(), Err(Fault::Bug(text)) if text == "oh"));
    assert_eq!(submit(&bench.store, "a", 1).wait().unwrap(), 1);
}

#[test]
fn a_conflict_is_run_again_a_few_times() {
    let bench = Bench::new(Executor::Inline);
    let attempt = |until: u32| {
        let mut runs = 0;
        let answer = bench
            .store
            .write(LaneKey::ZERO, Class::Internal, cause(), move |context| {
                runs += 1;
                count(context, "a", 1)?;
                if runs < until {
                    Err(Fault::Conflict("the counter"))
                } else {
                    Ok(runs)
                }
            });
        bench.store.run_group(1);
        answer.wait()
    };
    assert_eq!(attempt(3).unwrap(), 3);
    assert!(matches!(attempt(99), Err(Fault::Conflict(_))));
    assert_eq!(bench.counter("a"), 1);
    assert_eq!(bench.feed().len(), 1);
}

#[test]
fn an_update_that_misses_its_version_is_a_conflict() {
    let bench = Bench::new(Executor::Inline);
    let answer = bench
        .store
        .write(LaneKey::ZERO, Class::Internal, cause(), |context| {
            context.execute_one(
                "the counter",
                "UPDATE counter SET value = 1 WHERE name = ?1 AND version = ?2",
                &[&"a", &7_i64],
            )
        });
    bench.store.run_group(1);
    assert!(matches!(answer.wait(), Err(Fault::Conflict("the counter"))));
}

#[test]
fn new_work_is_refused_while_the_oldest_waits_too_long_and_accepted_work_is_not() {
    let bench = Bench::new(Executor::Inline);
    let new = || {
        bench
            .store
            .write(LaneKey::ZERO, Class::New, cause(), |context| {
                count(context, "a", 1)
            })
    };
    let waiting = new();
    bench.clock.advance(Duration::from_millis(101));
    assert!(matches!(new().wait(), Err(Fault::Overloaded { .. })));
    let internal = submit(&bench.store, "b", 1);
    bench.store.run_group(1);
    assert_eq!(internal.wait().unwrap(), 1, "internal work goes first");
    bench.store.run_group(1);
    assert_eq!(waiting.wait().unwrap(), 1);
    let accepted_again = new();
    bench.store.run_group(1);
    assert_eq!(accepted_again.wait().unwrap(), 2);
}

#[test]
fn what_was_answered_stands_after_reopening() {
    let bench = Bench::new(Executor::Threads);
    submit(&bench.store, "a", 5).wait().unwrap();
    let epoch = bench.store.epoch();
    bench.store.close();
    assert!(matches!(
        submit(&bench.store, "a", 1).wait(),
        Err(Fault::Closed)
    ));
    let again = bench.another(Executor::Threads, 2);
    assert_eq!(again.epoch(), epoch);
    assert_eq!(again.head(), 1);
    assert_eq!(again.events_after(0, 10).unwrap()[0].key, "a");
}

#[test]
fn a_database_of_a_newer_version_or_another_service_is_refused() {
    let bench = Bench::new(Executor::Threads);
    let options = |service, migrations| {
        StoreOptions::at(
            service,
            bench.fresh.place.clone(),
            migrations,
            bench.store.clock().clone(),
            bench.store.ids().clone(),
        )
    };
    let older = Store::open(options(pasar_contracts::event::Service::Orders, &[]))
        .err()
        .unwrap();
    assert!(format!("{older:?}").contains("0001_counter"), "{older:?}");
    let other = Store::open(options(
        pasar_contracts::event::Service::Users,
        crate::bench_db::MIGRATIONS,
    ));
    assert!(format!("{:?}", other.err().unwrap()).contains("belongs to orders"));
}

#[test]
fn the_log_reads_the_same_from_memory_and_from_the_database() {
    let bench = Bench::new(Executor::Inline);
    for group in 1..=20 {
        let answers: Vec<_> = (0..group).map(|_| submit(&bench.store, "a", 1)).collect();
        bench.store.run_group(group);
        answers
            .into_iter()
            .for_each(|answer| assert!(answer.wait().is_ok()));
    }
    let fresh = bench.another(Executor::Inline, 2);
    for after in 0..=210 {
        let from_memory = bench.store.events_after(after, 7).unwrap();
        let from_database = fresh.events_after(after, 7).unwrap();
        assert_eq!(from_memory, from_database, "after {after}");
    }
    assert_eq!(bench.store.events_of("a", 200, 100).unwrap().len(), 10);
}

#[test]
fn what_memory_no_longer_holds_is_read_from_the_database() {
    let bench = Bench::new(Executor::Inline);
    for _ in 0..40 {
        let answers: Vec<_> = (0..250).map(|_| submit(&bench.store, "a", 1)).collect();
        bench.store.run_group(250);
        answers
            .into_iter()
            .for_each(|answer| assert!(answer.wait().is_ok()));
    }
    let all = bench.store.events_after(0, 20_000).unwrap();
    assert_eq!(all.len(), 10_000);
    for after in [0, 1, 1_700, 1_807, 1_808, 1_809, 9_990] {
        let events = bench.store.events_after(after, 3).unwrap();
        let places: Vec<_> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(places, [after + 1, after + 2, after + 3]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Count(&'static str, i64),
    Fault(&'static str),
    Run(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        5 => (name.clone(), -2..5_i64).prop_map(|(name, by)| Step::Count(name, by)),
        1 => name.prop_map(Step::Fault),
        2 => (1..6_usize).prop_map(Step::Run),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Invariant 3: an event is in the feed exactly when its state is committed, whatever shares a group.
    #[test]
    fn the_feed_tells_exactly_what_stands(steps in proptest::collection::vec(step(), 1..40)) {
        let bench = Bench::new(Executor::Inline);
        let mut answers = Vec::new();
        for step in steps {
            match step {
                Step::Count(name, by) => answers.push((name, submit(&bench.store, name, by))),
                Step::Fault(name) => {
                    let answer = bench.store.write(LaneKey::ZERO, Class::Internal, cause(), move |context| {
                        count(context, name, 1)?;
                        Err(Fault::Bug("on purpose".to_owned()))
                    });
                    answers.push((name, answer));
                }
                Step::Run(most) => { bench.store.run_group(most); }
            }
        }
        while bench.store.run_group(4) > 0 {}
        let mut told = Vec::new();
        for (name, answer) in answers {
            if let Ok(value) = answer.wait() {
                told.push((name.to_owned(), value));
            }
        }
        let events = bench.store.events_after(0, 10_000).unwrap();
        let in_feed: Vec<_> = events
            .iter()
            .map(|event| (event.key.clone(), event.decode::<Counted>().unwrap().value))
            .collect();
        prop_assert_eq!(&in_feed, &told);
        let places: Vec<i64> = events.iter().map(|event| event.sequence).collect();
        let expected: Vec<i64> = (1..).take(events.len()).collect();
        prop_assert_eq!(places, expected);
        for name in ["a", "b", "c"] {
            let last = in_feed.iter().rev().find(|(key, _)| key == name).map_or(0, |(_, value)| *value);
            prop_assert_eq!(bench.counter(name), last);
        }
    }
}
