//! A server that goes away: sessions that end, commits whose answer is lost, a server that does not answer.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use pasar_store::{
    fault::Fault,
    lane::{Class, LaneKey},
    place::Place,
    store::{Executor, Store, StoreOptions},
};

use crate::{
    bench_db::{Bench, cause, count, options, submit},
    server::{bench, soon, write},
    wires::{Cut, Gate, cut_wire},
};

#[test]
fn a_session_that_ended_between_groups_is_not_noticed_by_callers() {
    let Some(bench) = bench() else { return };
    for _ in 0..3 {
        submit(&bench.store, "a", 1).wait().unwrap();
        bench.counter("a");
        end_sessions(&bench);
    }
    assert_eq!(submit(&bench.store, "a", 1).wait().unwrap(), 4);
    assert_eq!(bench.counter("a"), 4);
}

/// Ends all other sessions whose last statement was in the schema of this bench.
fn end_sessions(bench: &Bench) {
    let killer = bench.another(Executor::Inline, 9);
    let ended = killer.write(LaneKey::ZERO, Class::Internal, cause(), |context| {
        context.query_all(
            "SELECT pg_terminate_backend(l.pid, 2000)
             FROM (SELECT DISTINCT a.pid FROM pg_stat_activity a
                   WHERE a.application_name = 'pasar/' || current_schema()
                     AND a.pid <> pg_backend_pid()) AS l LIMIT 100",
            &[],
            |row| row.get::<bool>(0),
        )
    });
    killer.run_group(1);
    assert!(
        ended.wait().unwrap().contains(&true),
        "no session was ended"
    );
}

#[test]
fn a_group_whose_session_ends_under_it_is_run_again() {
    let Some(bench) = bench() else { return };
    let runs = Arc::new(AtomicU32::new(0));
    let ran = Arc::clone(&runs);
    let answer = write(&bench.store, "a", move |context| {
        let value = count(context, "a", 1)?;
        if ran.fetch_add(1, Ordering::SeqCst) == 0 {
            context.execute("SELECT pg_terminate_backend(pg_backend_pid())", &[])?;
        }
        Ok(value)
    });
    assert_eq!(answer.wait().unwrap(), 1);
    assert_eq!((runs.load(Ordering::SeqCst), bench.feed().len()), (2, 1));
}

/// Another store on the same database, whose first commit is cut.
fn through_cut_wire(cut: Cut) -> Option<(Bench, Store)> {
    let url = crate::fresh::url()?;
    let bench = bench()?;
    let (_, port) = url.rsplit_once(':').unwrap();
    let port = port.split('/').next().unwrap();
    let wire = cut_wire(port.parse().unwrap(), cut);
    let place = bench.fresh.url().replace(port, &wire.to_string());
    let through = StoreOptions {
        place: Place::postgres(&place).unwrap(),
        ..options(&bench.fresh, Executor::Threads, &bench.clock, 5)
    };
    Some((bench, Store::open(through).unwrap()))
}

fn a_cut_commit_is_settled(cut: Cut, runs: u32) {
    let Some((bench, through)) = through_cut_wire(cut) else {
        return;
    };
    let ran = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ran);
    let answer = write(&through, "a", move |context| {
        counted.fetch_add(1, Ordering::SeqCst);
        count(context, "a", 1)
    });
    assert_eq!(answer.wait().unwrap(), 1);
    assert_eq!(ran.load(Ordering::SeqCst), runs);
    assert_eq!(bench.counter("a"), 1);
    soon("its place in the feed", || through.head() == 1);
    assert_eq!(submit(&through, "a", 1).wait().unwrap(), 2);
}

#[test]
fn a_commit_whose_answer_was_lost_is_found_to_stand() {
    a_cut_commit_is_settled(Cut::After, 1);
}

#[test]
fn a_commit_that_never_arrived_is_found_not_to_stand_and_run_again() {
    a_cut_commit_is_settled(Cut::Before, 2);
}

/// A server that recovers gives numbers again that it had not written down.
#[test]
fn a_commit_whose_number_another_transaction_got_is_found_not_to_stand_and_run_again() {
    a_cut_commit_is_settled(Cut::Reused, 2);
}

#[test]
fn what_became_of_a_commit_without_events_is_unknown_where_its_number_may_be_anothers() {
    let Some((bench, through)) = through_cut_wire(Cut::Reused) else {
        return;
    };
    let answer = write(&through, "a", |context| {
        context.enqueue_effect("q", "call", &1)
    });
    let fault = answer.wait().unwrap_err();
    assert!(matches!(fault, Fault::Unknown), "{fault:?}");
    assert_eq!(bench.feed(), []);
}

#[test]
fn while_the_server_is_away_callers_are_told_to_come_again_and_afterwards_all_goes_on() {
    let Some(url) = crate::fresh::url() else {
        return;
    };
    let bench = bench().unwrap();
    let (_, port) = url.rsplit_once(':').unwrap();
    let port = port.split('/').next().unwrap();
    let gate = Gate::to(port.parse().unwrap());
    let through = StoreOptions {
        place: Place::postgres(&bench.fresh.url().replace(port, &gate.port.to_string())).unwrap(),
        ..options(&bench.fresh, Executor::Threads, &bench.clock, 5)
    };
    let through = Store::open(through).unwrap();
    assert_eq!(submit(&through, "a", 1).wait().unwrap(), 1);
    gate.close();
    for _ in 0..3 {
        let fault = submit(&through, "a", 1).wait().unwrap_err();
        assert!(
            matches!(fault, Fault::Unavailable(_)) && fault.retry(),
            "{fault:?}"
        );
        let read = through.read_now(|tx| tx.query_one("SELECT 1", &[], |row| row.get::<i64>(0)));
        assert!(matches!(read, Err(Fault::Unavailable(_))), "{read:?}");
    }
    gate.open.store(1, Ordering::SeqCst);
    soon("the way back", || submit(&through, "a", 1).wait().is_ok());
    assert_eq!(
        through
            .read_now(|tx| tx.query_one("SELECT 2", &[], |row| row.get::<i64>(0)))
            .unwrap(),
        2
    );
    assert_eq!(bench.counter("a"), 2);
    soon("the other's head", || bench.store.head() == 2);
}
