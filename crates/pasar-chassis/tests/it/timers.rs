//! Timers fire once, when they are due, also after a restart.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pasar_chassis::{duty::Duty, timers};
use pasar_store::{context::Context, fault::Fault, lane::LaneKey, store::Store};
use pasar_types::time::Timestamp;
use tokio::sync::Notify;

use crate::host::{Machine, record, recorded, write};

const MINUTE: Duration = Duration::from_secs(60);

fn spawn(machine: &Machine, store: &Store) {
    let fire = |ctx: &mut Context<'_>, kind: &str, key: &str, _: Timestamp| {
        record(ctx, &format!("{kind} {key}"))
    };
    timers::spawn(
        &machine.host,
        &Duty::start(&machine.host, store),
        store.clone(),
        || ready(()),
        |_, _| LaneKey::ZERO,
        fire,
    );
}

async fn set(store: &Store, key: &'static str, wait: Duration) {
    write(store, move |ctx| {
        let due = ctx.now() + wait;
        ctx.set_timer("expire", key, due)
    })
    .await;
}

#[tokio::test]
async fn a_timer_fires_when_the_clock_reaches_it_and_not_before() {
    let machine = Machine::new();
    let store = machine.store();
    spawn(&machine, &store);
    set(&store, "late", 2 * MINUTE).await;
    set(&store, "soon", MINUTE).await;
    machine.advance(MINUTE);
    assert_eq!(recorded(&store, 1).await, ["expire soon"]);
    machine.advance(MINUTE);
    assert_eq!(recorded(&store, 2).await, ["expire soon", "expire late"]);
    assert_eq!(store.next_timer_due().unwrap(), None);
}

#[tokio::test]
async fn a_timer_that_is_set_later_but_due_earlier_is_noticed() {
    let machine = Machine::new();
    let store = machine.store();
    set(&store, "late", 60 * MINUTE).await;
    spawn(&machine, &store);
    tokio::task::yield_now().await;
    set(&store, "now", Duration::ZERO).await;
    assert_eq!(recorded(&store, 1).await, ["expire now"]);
}

#[tokio::test]
async fn what_became_due_while_the_process_was_down_fires_after_the_gate() {
    let machine = Machine::new();
    let store = machine.store();
    set(&store, "missed", MINUTE).await;
    machine.advance(60 * MINUTE);
    let open = Arc::new(Notify::new());
    let gate = {
        let open = Arc::clone(&open);
        move || Arc::clone(&open).notified_owned()
    };
    let fire = |ctx: &mut Context<'_>, _: &str, key: &str, _: Timestamp| record(ctx, key);
    timers::spawn(
        &machine.host,
        &Duty::start(&machine.host, &store),
        store.clone(),
        gate,
        |_, _| LaneKey::ZERO,
        fire,
    );
    write(&store, |ctx| record(ctx, "before the gate")).await;
    tokio::task::yield_now().await;
    open.notify_one();
    assert_eq!(recorded(&store, 2).await, ["before the gate", "missed"]);
}

#[tokio::test]
async fn a_cancelled_timer_does_not_fire() {
    let machine = Machine::new();
    let store = machine.store();
    spawn(&machine, &store);
    set(&store, "kept", MINUTE).await;
    set(&store, "cancelled", MINUTE).await;
    write(&store, |ctx| {
        let due = ctx.now() + MINUTE;
        ctx.cancel_timer("expire", "cancelled", due)
    })
    .await;
    machine.advance(2 * MINUTE);
    assert_eq!(recorded(&store, 1).await, ["expire kept"]);
    assert_eq!(store.due_timers(machine.host.clock.now(), 10).unwrap(), []);
}

#[tokio::test]
async fn a_timer_that_faults_is_tried_again_and_holds_up_no_other() {
    let machine = Machine::new();
    let store = machine.store();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let fire = move |ctx: &mut Context<'_>, _: &str, key: &str, _: Timestamp| {
        if key == "broken" && counted.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(Fault::Bug("on purpose".to_owned()));
        }
        record(ctx, key)
    };
    set(&store, "broken", Duration::ZERO).await;
    timers::spawn(
        &machine.host,
        &Duty::start(&machine.host, &store),
        store.clone(),
        || ready(()),
        |_, _| LaneKey::ZERO,
        fire,
    );
    while tries.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    set(&store, "whole", MINUTE).await;
    let moving = async {
        loop {
            machine.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };
    let all = tokio::select! {
        all = recorded(&store, 2) => all,
        () = moving => Vec::new(),
    };
    assert!(all.contains(&"broken".to_owned()) && all.contains(&"whole".to_owned()));
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn many_timers_of_one_moment_all_fire_once() {
    let machine = Machine::new();
    let store = machine.store();
    write(&store, |ctx| {
        let due = ctx.now() + MINUTE;
        (0..1_000).try_for_each(|n| ctx.set_timer("many", &format!("{n:04}"), due))
    })
    .await;
    spawn(&machine, &store);
    machine.advance(MINUTE);
    let mut fired = recorded(&store, 1_000).await;
    fired.sort();
    fired.dedup();
    assert_eq!(fired.len(), 1_000);
}
