//! Rows of one statement that become one statement on PostgreSQL. Each test makes the server know the statements
//! first, as only those are merged; on SQLite nothing may differ.

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

fn put_later(context: &Context<'_>, name: &str, value: Option<i64>) -> Result<(), Fault> {
    context.execute_later(
        "INSERT INTO counter (name, value, version) VALUES (?1, COALESCE(?2, 7), 1)
         ON CONFLICT (name) DO NOTHING",
        &[&name, &value],
    )
}

/// By compare-and-set.
fn raise(context: &Context<'_>, name: &str, version: i64) -> Result<(), Fault> {
    context.execute_one(
        "the counter",
        "UPDATE counter SET value = value * 10, version = version + 1
         WHERE name = ?1 AND version = ?2",
        &[&name, &version],
    )
}

fn double(context: &Context<'_>, name: &str) -> Result<(), Fault> {
    context.execute_one(
        "the counter",
        "UPDATE counter SET value = value * 2, version = version + 1 WHERE name = ?1",
        &[&name],
    )
}

fn drop_it(context: &Context<'_>, name: &str) -> Result<(), Fault> {
    context.execute_later("DELETE FROM counter WHERE name = ?1", &[&name])
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

/// A database whose connection knows all statements.
fn bench() -> Bench {
    let bench = Bench::new(Executor::Inline);
    let answer = command(&bench, |context| {
        for name in ["known", "also known"] {
            put(context, name)?;
            put_later(context, name, None)?;
            value(context, name)?;
            raise(context, name, 1)?;
            double(context, name)?;
            value(context, name)?;
            drop_it(context, name)?;
            value(context, name)?;
        }
        Ok(())
    });
    bench.store.run_group(1);
    answer.wait().unwrap();
    bench
}

fn run<T: Send + 'static>(
    bench: &Bench,
    run: impl FnMut(&mut Context<'_>) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let answer = command(bench, run);
    bench.store.run_group(1);
    answer.wait()
}

#[test]
fn rows_of_one_statement_are_all_written() {
    let bench = bench();
    run(&bench, |context| {
        for name in ["a", "b", "c"] {
            put(context, name)?;
        }
        for (name, value) in [("d", Some(4)), ("e", None), ("a", Some(9))] {
            put_later(context, name, value)?;
        }
        for name in ["c", "a", "b"] {
            raise(context, name, 1)?;
        }
        drop_it(context, "b")?;
        drop_it(context, "nobody")
    })
    .unwrap();
    let values: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|name| bench.counter(name))
        .collect();
    assert_eq!(values, [10, 0, 10, 4, 7]);
}

#[test]
fn what_is_written_to_one_row_is_written_in_its_order() {
    let bench = bench();
    run(&bench, |context| {
        put(context, "a")?;
        put(context, "b")?;
        raise(context, "a", 1)?;
        double(context, "b")?;
        // After what was written to it by the other statement, and by the same.
        double(context, "a")?;
        raise(context, "b", 2)?;
        raise(context, "b", 3)?;
        double(context, "a")?;
        drop_it(context, "c")?;
        put(context, "c")?;
        drop_it(context, "b")?;
        put_later(context, "b", Some(5))
    })
    .unwrap();
    let values = ["a", "b", "c"].map(|name| bench.counter(name));
    assert_eq!(values, [40, 5, 1]);
}

#[test]
fn a_query_sees_the_rows_that_waited() {
    let bench = bench();
    let seen = run(&bench, |context| {
        put(context, "a")?;
        put(context, "b")?;
        let two = (value(context, "a")?, value(context, "b")?);
        raise(context, "a", 1)?;
        raise(context, "b", 1)?;
        let names = ["b".to_owned(), "nobody".to_owned(), "a".to_owned()];
        let mut all = context.query_among(
            "SELECT name, value FROM counter WHERE name = ?1 AND value > ?2",
            &names,
            &[&1],
            |row| Ok((row.get::<String>(0)?, row.get::<i64>(1)?)),
        )?;
        all.sort();
        Ok((two, all))
    })
    .unwrap();
    let both = vec![("a".to_owned(), 10), ("b".to_owned(), 10)];
    assert_eq!(seen, ((Some(1), Some(1)), both));
}

/// Three commands of a group, of which the second is refused by what it deferred.
fn between(refused: impl FnMut(&mut Context<'_>) -> Result<(), Fault> + Send + 'static) -> Fault {
    let bench = bench();
    let told = |name: &'static str| {
        command(&bench, move |context| {
            put(context, name)?;
            raise(context, name, 1)?;
            context.emit(name, 1, &Counted { value: 1 })
        })
    };
    let before = told("before");
    let refused = command(&bench, refused);
    let after = told("after");
    assert_eq!(bench.store.run_group(10), 3);
    before.wait().unwrap();
    after.wait().unwrap();
    let values = ["before", "refused", "after"].map(|name| bench.counter(name));
    assert_eq!(values, [10, 0, 10]);
    let feed: Vec<_> = bench.feed().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(feed, ["before", "after"]);
    refused.wait().unwrap_err()
}

#[test]
fn a_row_that_is_not_there_takes_back_its_own_command_alone() {
    let fault = between(|context| {
        put(context, "refused")?;
        context.emit("refused", 1, &Counted { value: 1 })?;
        raise(context, "refused", 1)?;
        raise(context, "nobody", 1)
    });
    assert!(matches!(fault, Fault::Conflict("the counter")), "{fault:?}");
}

#[test]
fn a_version_that_was_passed_takes_back_its_own_command_alone() {
    let fault = between(|context| {
        put(context, "refused")?;
        raise(context, "refused", 1)?;
        raise(context, "refused", 1)
    });
    assert!(matches!(fault, Fault::Conflict("the counter")), "{fault:?}");
}

#[test]
fn a_row_that_is_there_already_takes_back_its_own_command_alone() {
    let fault = between(|context| {
        put(context, "refused")?;
        context.emit("refused", 1, &Counted { value: 1 })?;
        put(context, "refused")
    });
    assert!(matches!(fault, Fault::Constraint(_)), "{fault:?}");
}

#[test]
fn whoever_passes_over_a_conflict_that_came_late_commits_nothing() {
    let bench = bench();
    let fault = run(&bench, |context| {
        put(context, "a")?;
        raise(context, "nobody", 1)?;
        // It is this one that hears of it, and does not care.
        let _ = value(context, "a");
        context.emit("a", 1, &Counted { value: 1 })
    })
    .unwrap_err();
    // On SQLite it is heard at once.
    assert!(
        matches!(fault, Fault::Bug(_) | Fault::Conflict(_)),
        "{fault:?}"
    );
    assert_eq!((bench.counter("a"), bench.feed().len()), (0, 0));
}

#[test]
fn more_than_a_buffer_of_rows_is_written_by_one_command() {
    const MANY: usize = 3_000;
    let bench = bench();
    let count = run(&bench, |context| {
        for number in 0..MANY {
            put(context, &format!("{number:0>200}"))?;
        }
        context.query_one("SELECT COUNT(*) FROM counter", &[], |row| row.get::<i64>(0))
    });
    assert_eq!(count.unwrap(), 3_000);
}
