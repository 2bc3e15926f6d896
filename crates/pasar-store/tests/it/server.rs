//! What only a server does to a store: several instances in its lanes, transactions in each other's way.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pasar_store::{
    cause::{Actor, Cause},
    context::Context,
    fault::Fault,
    idempotency::{Fingerprint, Once},
    lane::{Answer, Class, LaneKey},
    place::Place,
    store::{Executor, Store, StoreOptions},
};
use pasar_types::id::FlowId;

use crate::{
    bench_db::{Bench, cause, count, options, submit, submit_in},
    fresh::Fresh,
    leases::{NAME, seen},
};

/// How long is waited for what happens within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn bench() -> Option<Bench> {
    Fresh::postgres().map(|fresh| Bench::at(fresh, Executor::Threads))
}

pub(crate) fn write<T: Send + 'static>(
    store: &Store,
    lane: &str,
    command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Answer<T> {
    store.write(
        LaneKey::of(lane.as_bytes()),
        Class::Internal,
        cause(),
        command,
    )
}

fn sleep(context: &Context<'_>, millis: i64) -> Result<(), Fault> {
    let slept = context.query_opt(
        "SELECT CAST(pg_sleep(CAST(?1 AS DOUBLE PRECISION) / 1000) AS TEXT)",
        &[&millis],
        |_| Ok(()),
    );
    slept.map(drop)
}

pub(crate) fn soon(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        thread::yield_now();
    }
}

/// Keys of two lanes.
fn two_lanes(store: &Store) -> (String, String) {
    let lane = |name: &String| LaneKey::of(name.as_bytes()).lane(store.lanes());
    let first = "0".to_owned();
    let other = (1..)
        .map(|n: u32| n.to_string())
        .find(|name| lane(name) != lane(&first));
    (first, other.unwrap())
}

#[test]
fn an_instance_waits_for_another_in_its_lane_and_in_no_other() {
    let Some(bench) = bench() else { return };
    assert_eq!(bench.store.lanes(), 4);
    let other = bench.another(Executor::Threads, 2);
    let (busy, free) = two_lanes(&other);
    let inside = Arc::new(Barrier::new(2));
    let reached = Arc::clone(&inside);
    let long = write(&bench.store, &busy, move |context| {
        count(context, "a", 1)?;
        reached.wait();
        sleep(context, 700)
    });
    inside.wait();
    let began = Instant::now();
    // Not for a row: it writes another.
    let waits = submit_in(&other, &busy, "c", 1);
    submit_in(&other, &free, "b", 1).wait().unwrap();
    let free_after = began.elapsed();
    assert_eq!(waits.wait().unwrap(), 1);
    let busy_after = began.elapsed();
    long.wait().unwrap();
    assert!(
        free_after < busy_after && busy_after > Duration::from_millis(500),
        "the other lane after {free_after:?}, the same after {busy_after:?}"
    );
}

#[test]
fn a_lease_is_not_taken_from_under_a_command_that_holds_it() {
    let Some(bench) = bench() else { return };
    let other = bench.another(Executor::Threads, 2);
    let taken = bench.store.take_lease(NAME, "one", None).wait();
    let lease = taken.unwrap().unwrap();
    let seen = seen(&other);
    let (first, second) = two_lanes(&bench.store);
    let is_of_leases = LaneKey::of(first.as_bytes()).lane(4) == LaneKey::ZERO.lane(4);
    let beside = if is_of_leases { second } else { first };
    let inside = Arc::new(Barrier::new(2));
    let reached = Arc::clone(&inside);
    let held = write(&bench.store, &beside, move |context| {
        context.holding(&lease)?;
        reached.wait();
        sleep(context, 700)
    });
    inside.wait();
    let began = Instant::now();
    let next = other.take_lease(NAME, "two", seen).wait().unwrap();
    assert!(next.is_some(), "nobody else takes it");
    let after = began.elapsed();
    held.wait().unwrap();
    assert!(after > Duration::from_millis(500), "taken after {after:?}");
}

#[test]
fn an_instance_hears_of_events_timers_and_effects_of_another() {
    let Some(bench) = bench() else { return };
    let other = bench.another(Executor::Threads, 2);
    let (timers, effects, foreign) = (
        other.timers_changed(),
        other.effects_changed(),
        other.foreign_commits(),
    );
    assert_eq!(other.next_timer_due().unwrap(), None);
    for turn in 1..=20 {
        submit(&bench.store, "a", 1).wait().unwrap();
        soon("the head of another instance", || other.head() == turn);
    }
    let due = bench.store.clock().now();
    write(&bench.store, "b", move |context| {
        context.set_timer("deadline", "x", due)?;
        context.enqueue_effect("q", "call", &1)
    })
    .wait()
    .unwrap();
    soon("its timer", || timers.has_changed().unwrap());
    soon("its effect", || effects.has_changed().unwrap());
    assert!(foreign.has_changed().unwrap());
    submit(&other, "a", 1).wait().unwrap();
    let places = |store: &Store| {
        let events = store.events_after(0, 100).unwrap();
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&other), (1..=21).collect::<Vec<_>>());
    soon("the way back", || bench.store.head() == 21);
}

#[test]
fn a_command_that_goes_on_after_a_refused_statement_is_taken_back() {
    let Some(bench) = bench() else { return };
    let answer = write(&bench.store, "a", |context| {
        count(context, "a", 1)?;
        let refused = count(context, "b", -1);
        assert!(matches!(refused, Err(Fault::Constraint(_))), "{refused:?}");
        Ok(())
    });
    let fault = answer.wait().unwrap_err();
    assert!(
        matches!(&fault, Fault::Bug(text) if text.contains("went on")),
        "{fault:?}"
    );
    assert_eq!((bench.counter("a"), bench.feed().len()), (0, 0));
}

#[test]
fn commands_that_lock_each_other_out_both_succeed_one_by_one() {
    let Some(bench) = bench() else { return };
    let (first, second) = two_lanes(&bench.store);
    for name in ["a", "b"] {
        submit(&bench.store, name, 1).wait().unwrap();
    }
    let cross = |lane: &str, one: &'static str, two: &'static str| {
        write(&bench.store, lane, move |context| {
            count(context, one, 1)?;
            sleep(context, 200)?;
            count(context, two, 1)
        })
    };
    let answers = [cross(&first, "a", "b"), cross(&second, "b", "a")];
    for answer in answers {
        answer.wait().unwrap();
    }
    assert_eq!((bench.counter("a"), bench.counter("b")), (3, 3));
    assert_eq!(bench.feed().len(), 6);
}

#[test]
fn one_key_in_two_lanes_at_once_has_one_effect_and_one_answer() {
    let Some(bench) = bench() else { return };
    let (first, second) = two_lanes(&bench.store);
    let once = |lane: &str| {
        let cause = Cause::new(Actor::Operator, FlowId::from_bytes([1; 16]));
        let lane = LaneKey::of(lane.as_bytes());
        bench.store.write(lane, Class::Internal, cause, |context| {
            let key = "k".parse().unwrap();
            let fingerprint = Fingerprint::of(&[b"the same"]);
            context.once("Count", &key, fingerprint, |context| {
                sleep(context, 200)?;
                count(context, "a", 1)
            })
        })
    };
    let outcomes = [once(&first), once(&second)].map(|answer| answer.wait().unwrap());
    let fresh = outcomes
        .iter()
        .filter(|one| matches!(one, Once::Fresh(1)))
        .count();
    let repeated = outcomes
        .iter()
        .filter(|one| matches!(one, Once::Repeated(1)))
        .count();
    assert_eq!((fresh, repeated), (1, 1), "{outcomes:?}");
    assert_eq!(bench.counter("a"), 1);
}

#[test]
fn instances_that_start_at_once_migrate_once() {
    let Some(fresh) = Fresh::postgres() else {
        return;
    };
    let clock = Arc::default();
    let stores: Vec<Store> = thread::scope(|scope| {
        let opening: Vec<_> = (0..6)
            .map(|seed| {
                scope.spawn({
                    let options = options(&fresh, Executor::Inline, &clock, seed);
                    || Store::open(options).unwrap()
                })
            })
            .collect();
        opening.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let epochs: std::collections::BTreeSet<_> = stores
        .iter()
        .map(|store| store.epoch().to_string())
        .collect();
    assert_eq!(epochs.len(), 1, "all found the same epoch");
    let steps = stores[0].read_now(|tx| {
        tx.query_one("SELECT COUNT(*) FROM migration", &[], |row| {
            row.get::<i64>(0)
        })
    });
    assert_eq!(steps.unwrap(), 6, "five of the store and one of its own");
    assert_eq!(
        Store::migrate(&options(&fresh, Executor::Inline, &clock, 7))
            .unwrap()
            .steps,
        0
    );
}

#[test]
fn a_database_that_lacks_a_step_is_refused_by_who_may_only_verify() {
    let Some(fresh) = Fresh::postgres() else {
        return;
    };
    let clock = Arc::default();
    let options = || StoreOptions {
        migrate: false,
        ..options(&fresh, Executor::Inline, &clock, 1)
    };
    assert!(Store::open(options()).is_err());
    Store::migrate(&options()).unwrap();
    let refused = StoreOptions {
        migrations: &[],
        ..options()
    };
    assert!(Store::open(refused).is_err(), "a newer database");
    Store::open(options()).unwrap();
}

#[test]
fn a_database_that_is_not_there_is_refused_with_what_to_run() {
    let Some(url) = crate::fresh::url() else {
        return;
    };
    let (server, _) = url.rsplit_once('/').unwrap();
    let refused = |url: &str| {
        let place = Place::postgres(url).unwrap();
        let clock = Arc::default();
        let folder = tempfile::tempdir().unwrap();
        let fresh = Fresh {
            place,
            folder,
            schema: String::new(),
        };
        let error = Store::open(options(&fresh, Executor::Inline, &clock, 1))
            .err()
            .unwrap();
        error.to_string()
    };
    let missing = refused(&format!("{server}/nowhere"));
    assert!(missing.contains("CREATE DATABASE \"nowhere\""), "{missing}");
    let wrong = refused(&url.replace("pasar:", "pasar:wrong"));
    assert!(
        wrong.contains("the password") && !wrong.contains("wrong"),
        "{wrong}"
    );
}

#[test]
fn an_instance_that_stands_still_in_a_lane_is_overtaken_and_begins_again() {
    let Some(bench) = bench() else { return };
    let other = bench.another(Executor::Threads, 2);
    let (go_on, stopped) = std::sync::mpsc::channel::<()>();
    let runs = Arc::new(AtomicU32::new(0));
    let ran = Arc::clone(&runs);
    let still = write(&bench.store, "a", move |context| {
        let value = count(context, "a", 1)?;
        if ran.fetch_add(1, Ordering::SeqCst) == 0 {
            // As a process that was stopped: it holds its locks and says nothing.
            stopped.recv().unwrap();
        }
        Ok(value)
    });
    soon("the first run", || runs.load(Ordering::SeqCst) == 1);
    let mut refusals = 0;
    soon("the lane's release", || {
        let answer = submit_in(&other, "a", "a", 10).wait();
        match answer {
            Ok(value) => {
                assert_eq!(value, 10, "nothing of the one that stands still is there");
                true
            }
            Err(Fault::Unavailable(_)) => {
                refusals += 1;
                false
            }
            Err(fault) => panic!("{fault:?}"),
        }
    });
    assert!(refusals > 0, "the lane was held");
    go_on.send(()).unwrap();
    assert_eq!(still.wait().unwrap(), 11);
    assert_eq!((runs.load(Ordering::SeqCst), bench.counter("a")), (2, 11));
}

#[test]
fn over_tls_the_server_must_show_a_certificate_that_is_believed() {
    let (Some(fresh), Ok(ca)) = (Fresh::postgres(), std::env::var("TEST_POSTGRES_CA")) else {
        return;
    };
    let open = |parameters: &str| {
        let url = format!("{}&{parameters}", fresh.url());
        Store::open(StoreOptions {
            place: Place::postgres(&url.replace("127.0.0.1", "localhost")).unwrap(),
            ..options(&fresh, Executor::Threads, &Arc::default(), 1)
        })
    };
    let store = open(&format!("sslmode=verify-full&sslrootcert={ca}")).unwrap();
    submit(&store, "a", 1).wait().unwrap();
    let encrypted = store.read_now(|tx| {
        tx.query_one(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
            |row| row.get::<bool>(0),
        )
    });
    assert!(encrypted.unwrap());
    let refused = open("sslmode=verify-full").err().unwrap();
    let chain = format!("{refused:?}");
    assert!(chain.contains("UnknownIssuer"), "{chain}");
}
