//! Statements that must touch one row: on PostgreSQL they wait for the next one, and nobody may notice.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use pasar_store::{
    context::Context,
    fault::Fault,
    lane::{Answer, Class, LaneKey},
    store::Executor,
};

use crate::bench_db::{Bench, Counted, cause};

fn put(context: &Context<'_>, name: &str) -> Result<(), Fault> {
    context.execute_one(
        "the counter",
        "INSERT INTO counter (name, value, version) VALUES (?1, 1, 1)",
        &[&name],
    )
}

fn raise(context: &Context<'_>, name: &str) -> Result<(), Fault> {
    context.execute_one(
        "the counter",
        "UPDATE counter SET value = value + 1 WHERE name = ?1",
        &[&name],
    )
}

fn value(context: &Context<'_>, name: &str) -> Result<Option<i64>, Fault> {
    context.query_opt(
        "SELECT value FROM counter WHERE name = ?1",
        &[&name],
        |row| row.get(0),
    )
}

fn command<T: Send + 'static>(
    bench: &Bench,
    command: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Answer<T> {
    bench
        .store
        .write(LaneKey::ZERO, Class::Internal, cause(), command)
}

/// Commands around the one that is looked at, in one group with it.
fn between(
    refused: impl FnMut(&mut Context<'_>) -> Result<(), Fault> + Send + 'static,
) -> (Bench, Fault) {
    let bench = Bench::new(Executor::Inline);
    let told = |name: &'static str| {
        command(&bench, move |context| {
            put(context, name)?;
            context.emit(name, 1, &Counted { value: 1 })
        })
    };
    let before = told("before");
    let refused = command(&bench, refused);
    let after = told("after");
    assert_eq!(bench.store.run_group(10), 3);
    before.wait().unwrap();
    after.wait().unwrap();
    assert_eq!((bench.counter("before"), bench.counter("after")), (1, 1));
    assert_eq!(bench.counter("refused"), 0);
    let feed: Vec<_> = bench.feed().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(feed, ["before", "after"]);
    (bench, refused.wait().unwrap_err())
}

#[test]
fn the_next_statement_sees_what_waited_for_it() {
    let bench = Bench::new(Executor::Inline);
    let answer = command(&bench, |context| {
        put(context, "a")?;
        raise(context, "a")?;
        let two = value(context, "a")?;
        raise(context, "a")?;
        Ok((two, value(context, "a")?))
    });
    bench.store.run_group(1);
    assert_eq!(answer.wait().unwrap(), (Some(2), Some(3)));
}

#[test]
fn a_last_statement_that_touches_no_row_takes_back_its_own_command_alone() {
    let (_, fault) = between(|context| {
        put(context, "refused")?;
        raise(context, "nobody")
    });
    assert!(matches!(fault, Fault::Conflict("the counter")), "{fault:?}");
}

#[test]
fn one_in_the_middle_does_as_well() {
    let (_, fault) = between(|context| {
        raise(context, "nobody")?;
        put(context, "refused")?;
        value(context, "refused").map(drop)
    });
    assert!(matches!(fault, Fault::Conflict("the counter")), "{fault:?}");
}

#[test]
fn a_broken_constraint_is_of_the_command_that_broke_it() {
    let (bench, fault) = between(|context| {
        put(context, "refused")?;
        put(context, "before")
    });
    assert!(matches!(fault, Fault::Constraint(_)), "{fault:?}");
    // The connection is as good as before.
    let again = command(&bench, |context| {
        raise(context, "before")?;
        value(context, "before")
    });
    bench.store.run_group(1);
    assert_eq!(again.wait().unwrap(), Some(2));
}

#[test]
fn a_command_that_fails_by_itself_leaves_nothing_that_waits() {
    let (_, fault) = between(|context| {
        put(context, "refused")?;
        // Where it waits it is never sent, and nobody says that this one is there already.
        put(context, "before")?;
        Err(Fault::Bug("on purpose".to_owned()))
    });
    assert!(
        matches!(&fault, Fault::Bug(_) | Fault::Constraint(_)),
        "{fault:?}"
    );
}

#[test]
fn the_first_command_of_a_group_may_fail_before_anything_was_sent() {
    let bench = Bench::new(Executor::Inline);
    let first = command(&bench, |context| {
        put(context, "first")?;
        Err::<(), _>(Fault::Bug("on purpose".to_owned()))
    });
    let second = command(&bench, |context| put(context, "second"));
    bench.store.run_group(10);
    assert!(matches!(first.wait(), Err(Fault::Bug(_))));
    second.wait().unwrap();
    assert_eq!((bench.counter("first"), bench.counter("second")), (0, 1));
}

#[test]
fn a_conflict_that_is_met_late_is_run_again() {
    let bench = Bench::new(Executor::Inline);
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let answer = command(&bench, move |context| {
        let run = counted.fetch_add(1, Relaxed) + 1;
        put(context, "a")?;
        raise(context, if run < 3 { "nobody" } else { "a" })
    });
    bench.store.run_group(1);
    answer.wait().unwrap();
    assert_eq!((bench.counter("a"), runs.load(Relaxed)), (2, 3));
}

#[test]
fn more_than_a_buffer_of_them_is_written_by_one_command() {
    const MANY: usize = 3_000;
    let bench = Bench::new(Executor::Inline);
    let answer = command(&bench, |context| {
        for number in 0..MANY {
            put(context, &format!("{number:0>200}"))?;
        }
        context.query_one("SELECT COUNT(*) FROM counter", &[], |row| row.get::<i64>(0))
    });
    bench.store.run_group(1);
    assert_eq!(answer.wait().unwrap(), 3_000);
}
