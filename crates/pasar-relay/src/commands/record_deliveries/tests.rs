//! What is recorded, seen in the rows.

use serde_json::json;

use super::*;
use crate::{
    tables::{messages, shares},
    testing::{Bench, input},
};

/// A subscription ordered by key and three messages of one key.
fn bench() -> (Bench, SubscriptionId) {
    let bench = Bench::new();
    let mut input = input(json!({"kind": "probe", "to": "a"}));
    input.ordering = Ordering::Key;
    bench.create(input);
    for _ in 0..3 {
        bench.publish("client", "k");
    }
    let id = bench.only().id;
    (bench, id)
}

fn item(bench: &Bench, position: i64, from_retry: bool, verdict: Verdict) -> Item {
    let message = bench
        .store
        .read_now(|tx| messages::at(tx, position))
        .unwrap()
        .unwrap();
    Item {
        message,
        from_retry,
        asked: 0,
        tried: (verdict != Verdict::Held).then(|| Tried {
            position,
            attempt: 1,
            at: bench.now(),
            took_us: 1_000,
            delivered: verdict == Verdict::Delivered,
            status: None,
            detail: Some("said no".to_owned()),
            next_at: None,
        }),
        since: bench.now(),
        verdict,
    }
}

fn run(
    bench: &Bench,
    id: SubscriptionId,
    position: i64,
    attach: bool,
    items: Vec<Item>,
) -> Recorded {
    let command = RecordDeliveries {
        id,
        ordering: Ordering::Key,
        position,
        attach,
        items,
        disable_after: Duration::from_secs(3_600),
    };
    bench.given(move |ctx| record_deliveries(ctx, &command))
}

fn waiting(bench: &Bench, id: SubscriptionId) -> Vec<(i64, bool)> {
    let all = bench.store.read_now(|tx| {
        tx.query_all(
            "SELECT position, held FROM retry WHERE subscription = ?1 ORDER BY position",
            &[&id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    });
    all.unwrap()
}

#[test]
fn one_that_waits_behind_its_key_is_let_go_when_the_one_before_is_done() {
    let (bench, id) = bench();
    let due = bench.now() + Duration::from_secs(5);
    run(
        &bench,
        id,
        1,
        false,
        vec![item(&bench, 1, false, Verdict::Retry { due })],
    );
    let held = vec![
        item(&bench, 2, false, Verdict::Held),
        item(&bench, 3, false, Verdict::Held),
    ];
    run(&bench, id, 3, false, held);
    assert_eq!(waiting(&bench, id), [(1, false), (2, true), (3, true)]);
    let recorded = run(
        &bench,
        id,
        3,
        false,
        vec![item(&bench, 1, true, Verdict::Delivered)],
    );
    assert_eq!(waiting(&bench, id), [(2, false), (3, true)]);
    assert_eq!(recorded.rows[0].due, Some(bench.now()));
    run(
        &bench,
        id,
        3,
        false,
        vec![item(&bench, 2, true, Verdict::Dead)],
    );
    assert_eq!(waiting(&bench, id), [(3, false)]);
}

#[test]
fn one_that_finds_nobody_to_wait_behind_is_due_at_once() {
    let (bench, id) = bench();
    run(
        &bench,
        id,
        2,
        false,
        vec![item(&bench, 2, false, Verdict::Held)],
    );
    assert_eq!(waiting(&bench, id), [(2, false)]);
}

#[test]
fn it_attaches_only_once_it_is_done_up_to_the_watermark() {
    let (bench, id) = bench();
    bench.given(|ctx| shares::raise_watermark(ctx, 0, 3));
    assert!(!run(&bench, id, 2, true, Vec::new()).attached);
    assert!(run(&bench, id, 3, true, Vec::new()).attached);
    bench.given(|ctx| shares::raise_watermark(ctx, 0, 9));
    assert!(!run(&bench, id, 3, false, Vec::new()).attached);
    assert_eq!(bench.progress(id).position, 9);
}

#[test]
fn one_that_fails_for_too_long_is_disabled_and_a_success_in_between_counts() {
    let (bench, id) = bench();
    let due = bench.now();
    let fail = |bench: &Bench| {
        run(
            bench,
            id,
            1,
            false,
            vec![item(bench, 1, true, Verdict::Retry { due })],
        )
    };
    assert!(fail(&bench).active);
    bench.advance(Duration::from_secs(3_000));
    run(
        &bench,
        id,
        2,
        false,
        vec![item(&bench, 2, false, Verdict::Delivered)],
    );
    bench.advance(Duration::from_secs(3_000));
    assert!(fail(&bench).active);
    bench.advance(Duration::from_secs(3_599));
    assert!(fail(&bench).active);
    bench.advance(Duration::from_secs(1));
    assert!(!fail(&bench).active);
    assert_eq!(bench.only().disabled_because, Some(DisableReason::Failing));
}

#[test]
fn a_dead_letter_is_told_unless_it_is_the_relays_own_message() {
    let (bench, id) = bench();
    let mut own = item(&bench, 2, false, Verdict::Dead);
    let mut message = (*own.message).clone();
    message.topic = "relay".into();
    own.message = Arc::new(message);
    run(
        &bench,
        id,
        2,
        false,
        vec![item(&bench, 1, false, Verdict::Dead), own],
    );
    let told = bench.events_of::<MessageDeadLettered>();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].position, told[0].attempts), (1, 1));
    let dead = bench
        .store
        .read_now(|tx| dead_letters::count(tx, id))
        .unwrap();
    assert_eq!(dead, 2);
}

#[test]
fn nothing_is_recorded_for_one_that_was_deleted() {
    let (bench, _) = bench();
    let gone = SubscriptionId::from_bytes([7; 16]);
    let checked = bench.check({
        let command = RecordDeliveries {
            id: gone,
            ordering: Ordering::Key,
            position: 1,
            attach: true,
            items: vec![item(&bench, 1, false, Verdict::Delivered)],
            disable_after: Duration::from_secs(1),
        };
        move |ctx| record_deliveries(ctx, &command)
    });
    assert_eq!(checked.outcome.unwrap(), Recorded::default());
    assert!(checked.changes.is_empty());
}
