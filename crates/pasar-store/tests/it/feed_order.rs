//! Invariant 4: after a reader passed a position, nothing appears at or before it. Many writers in many lanes and
//! stores, rollbacks, and transactions that dawdle before the group's last statement, on a real PostgreSQL.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use pasar_store::{
    context::Context,
    fault::Fault,
    lane::{Class, LaneKey},
    store::{Executor, Store, StoreOptions},
    tx::Tx,
};

use crate::{
    bench_db::{Bench, cause, count, options},
    fresh::Fresh,
};

const WRITERS: usize = 64;
const LANES: u32 = 32;
const STORES: u64 = 2;
const RUN: Duration = Duration::from_secs(5);
/// One transaction of the suite; `FEED_ORDER_SECONDS=60` makes it the full one.
const LONG_SECONDS: i64 = 3;

/// Reads a log again and again, and notes what appears at or before a position that it has passed.
struct Reader {
    passed: i64,
    seen: BTreeSet<i64>,
    late: Vec<i64>,
}

impl Reader {
    const fn new() -> Self {
        Self {
            passed: 0,
            seen: BTreeSet::new(),
            late: Vec::new(),
        }
    }

    /// Looks at all places that there are.
    fn look(&mut self, places: Vec<i64>) {
        for place in places {
            if self.seen.insert(place) && place <= self.passed {
                self.late.push(place);
            }
        }
        self.passed = self.seen.last().copied().unwrap_or(0);
    }
}

fn stores(bench: &Bench) -> Vec<Store> {
    (0..STORES)
        .map(|seed| {
            let options = options(&bench.fresh, Executor::Threads, &bench.clock, 10 + seed);
            Store::open(StoreOptions {
                lanes: LANES,
                ..options
            })
            .unwrap()
        })
        .collect()
}

fn places(tx: &Tx<'_>, sql: &'static str) -> Result<Vec<i64>, Fault> {
    tx.query_all(sql, &[], |row| row.get(0))
}

/// A command that counts, dawdles up to some milliseconds, and now and then is taken back.
fn dawdle(context: &mut Context<'_>, name: &str, turn: u64) -> Result<(), Fault> {
    count(context, name, 1)?;
    let millis = i64::try_from(turn * 7919 % 13).unwrap_or(0);
    sleep(context, millis)?;
    if turn % 11 == 3 {
        return Err(Fault::Bug("taken back on purpose".to_owned()));
    }
    Ok(())
}

fn sleep(tx: &Tx<'_>, millis: i64) -> Result<(), Fault> {
    tx.query_opt(
        "SELECT CAST(pg_sleep(CAST(?1 AS DOUBLE PRECISION) / 1000) AS TEXT)",
        &[&millis],
        |_| Ok(()),
    )
    .map(drop)
}

struct Outcome {
    committed: i64,
    taken_back: i64,
    looks: usize,
    reader: Reader,
}

/// 64 writers and one long transaction, and a reader beside them until all are done.
fn race(
    bench: &Bench,
    write: impl Fn(&mut Context<'_>, &str, u64) -> Result<(), Fault> + Send + Sync + Copy + 'static,
    log: &'static str,
) -> Outcome {
    let stores = stores(bench);
    let (committed, taken_back) = (AtomicI64::new(0), AtomicI64::new(0));
    let done = AtomicBool::new(false);
    let mut reader = Reader::new();
    let mut looks = 0;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = &stores[writer % stores.len()];
                let (committed, taken_back) = (&committed, &taken_back);
                scope.spawn(move || {
                    let began = Instant::now();
                    let mut turn = writer as u64;
                    while began.elapsed() < RUN {
                        turn += 64;
                        let name = format!("writer {writer}");
                        let lane = LaneKey::of(name.as_bytes());
                        let answer = store.write(lane, Class::Internal, cause(), move |context| {
                            write(context, &name, turn)
                        });
                        match answer.wait() {
                            Ok(()) => committed.fetch_add(1, Ordering::Relaxed),
                            // The long one may be in its lane.
                            Err(Fault::Bug(_) | Fault::Unavailable(_)) => {
                                taken_back.fetch_add(1, Ordering::Relaxed)
                            }
                            Err(other) => panic!("{other:?}"),
                        };
                    }
                })
            })
            .collect();
        let long = scope.spawn(|| {
            let seconds = std::env::var("FEED_ORDER_SECONDS").ok();
            let seconds = seconds.map_or(LONG_SECONDS, |seconds| seconds.parse().unwrap());
            let lane = LaneKey::of(b"the long one");
            let answer = stores[0].write(lane, Class::Internal, cause(), move |context| {
                write(context, "the long one", 11)?;
                // Each statement has its own limit; a transaction that goes on speaking is not silent.
                (0..seconds).try_for_each(|_| sleep(context, 1_000))
            });
            answer.wait().unwrap();
        });
        let done = &done;
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                reader.look(bench.store.read_now(|tx| places(tx, log)).unwrap());
                looks += 1;
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        long.join().unwrap();
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    reader.look(bench.store.read_now(|tx| places(tx, log)).unwrap());
    Outcome {
        committed: committed.into_inner() + 1,
        taken_back: taken_back.into_inner(),
        looks,
        reader,
    }
}

#[test]
fn nothing_appears_in_the_feed_at_or_before_a_position_that_a_reader_passed() {
    let Some(fresh) = Fresh::postgres() else {
        return;
    };
    let bench = with_lanes(fresh);
    let outcome = race(
        &bench,
        dawdle,
        "SELECT sequence FROM feed ORDER BY sequence",
    );
    let Outcome {
        committed,
        taken_back,
        looks,
        reader,
    } = outcome;
    assert!(
        committed > 500 && taken_back > 20 && looks > 20,
        "too little was done: {committed} committed, {taken_back} taken back, {looks} looks"
    );
    assert_eq!(reader.late, Vec::<i64>::new(), "it went back");
    let expected: BTreeSet<i64> = (1..=committed).collect();
    assert_eq!(
        reader.seen, expected,
        "what was acknowledged, and nothing else"
    );
    assert_eq!(
        bench
            .store
            .read_now(|tx| {
                tx.query_one("SELECT head FROM feed_head", &[], |row| row.get::<i64>(0))
            })
            .unwrap(),
        committed
    );
}

/// The same reader sees the fault where positions come from a sequence, as is often done.
#[test]
fn a_log_whose_positions_are_a_sequence_is_caught() {
    let Some(fresh) = Fresh::postgres() else {
        return;
    };
    let bench = with_lanes(fresh);
    let made = bench.store.write(LaneKey::ZERO, Class::Internal, cause(), |context| {
        context.execute(
            "CREATE TABLE planted (sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT)",
            &[],
        )
    });
    made.wait().unwrap();
    let write = |context: &mut Context<'_>, name: &str, turn: u64| {
        context.execute("INSERT INTO planted (name) VALUES (?1)", &[&name])?;
        dawdle(context, name, turn)
    };
    let outcome = race(
        &bench,
        write,
        "SELECT sequence FROM planted ORDER BY sequence",
    );
    assert!(
        !outcome.reader.late.is_empty(),
        "{} looks caught nothing among {} commits",
        outcome.looks,
        outcome.committed
    );
}

fn with_lanes(fresh: Fresh) -> Bench {
    let clock = Arc::default();
    let options = options(&fresh, Executor::Threads, &clock, 1);
    let store = Store::open(StoreOptions {
        lanes: LANES,
        ..options
    })
    .unwrap();
    Bench {
        store,
        clock,
        fresh,
    }
}
