//! Two processes a service on PostgreSQL, under a steady load, and what goes wrong in such a place: instances that
//! are killed, a server that is, an instance that stands still and comes back, a way that is cut. No order that was
//! acknowledged may be lost, none may happen twice, and whoever follows must be told everything.
//!
//! The provider is a process of its own, so what was charged is counted in its books and not in ours. The suite runs
//! two rounds of each, `cargo xtask chaos` twenty.

mod audit;
mod followers;
mod lab;
mod load;
mod rolling;

use std::time::{Duration, Instant};

use self::lab::Lab;
use crate::crash::number;

/// Each service in turn, first the one that most stands on.
const SERVICES: [&str; 5] = ["orders", "payments", "inventory", "relay", "users"];
const SHORT_ROUNDS: usize = 2;
/// Orders that are acknowledged between two faults.
const BETWEEN_FAULTS: usize = 20;
/// Within which orders must flow again after an instance was killed.
const FLOOR: Duration = Duration::from_secs(10);

fn rounds() -> usize {
    number("CHAOS_ROUNDS").unwrap_or(SHORT_ROUNDS)
}

/// How long something stays as it is: short in the suite, longer where `cargo xtask chaos` says so.
fn seconds(variable: &str, short: u64) -> Duration {
    let long = number(variable).and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(long.unwrap_or(short))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_instances_are_killed() {
    let Some(mut lab) = Lab::start(&[]).await else {
        return;
    };
    for round in 0..rounds() {
        lab.orders_flow(BETWEEN_FAULTS).await;
        let service = SERVICES[round % SERVICES.len()];
        // First the instance that does the background work, in the next turn the other.
        let on_duty = lab.on_duty(service).await;
        let number = (on_duty + round / SERVICES.len()) % 2;
        lab.system.kill_instance(service, number);
        let killed = Instant::now();
        let took = lab.flows_again(killed).await;
        lab.note(&format!("kill -9 of {service} {number}"), took);
        assert!(took < FLOOR, "{service}: orders flow again after {took:?}");
        tokio::task::block_in_place(|| lab.system.revive_instance(service, number));
    }
    lab.audit("kill -9 of an instance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_database_server_is_killed() {
    let Some(mut lab) = Lab::start(&[]).await else {
        return;
    };
    for _ in 0..rounds() {
        lab.orders_flow(BETWEEN_FAULTS).await;
        lab.server.kill().await;
        lab.server.start().await;
        let back = Instant::now();
        let took = lab.flows_again(back).await;
        lab.note("kill -9 of PostgreSQL", took);
    }
    lab.audit("kill -9 of PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stood_still_writes_nothing_that_is_out_of_date() {
    let Some(mut lab) = Lab::start(&[]).await else {
        return;
    };
    let still = seconds("CHAOS_STILL_S", 5);
    for round in 0..rounds() {
        lab.orders_flow(BETWEEN_FAULTS).await;
        let service = SERVICES[round % SERVICES.len()];
        let number = lab.on_duty(service).await;
        lab.system.signal_instance(service, number, "-STOP");
        let stopped = Instant::now();
        let took = lab.flows_again(stopped).await;
        lab.note(&format!("SIGSTOP of {service} {number}"), took);
        tokio::time::sleep(still.saturating_sub(stopped.elapsed())).await;
        lab.system.signal_instance(service, number, "-CONT");
    }
    lab.audit("SIGSTOP of the instance on duty").await;
}

/// Who no longer reaches whom.
const CUTS: [(&str, &str); 5] = [
    ("orders", "inventory"),
    ("payments", "orders"),
    ("inventory", "orders"),
    ("orders", "payments"),
    ("relay", "orders"),
];

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_cut_off_from_each_other_catch_up() {
    let Some(mut lab) = Lab::start(&CUTS).await else {
        return;
    };
    let cut = seconds("CHAOS_CUT_S", 3);
    for round in 0..rounds() {
        lab.orders_flow(BETWEEN_FAULTS).await;
        let (of, to) = CUTS[round % CUTS.len()];
        // One that refuses, and in the next turn one that says nothing.
        let stalls = (round + round / CUTS.len()) % 2 == 1;
        let wires = lab.wires(of, to);
        for wire in wires {
            if stalls { wire.stall() } else { wire.cut() }
        }
        // Orders are taken all the while.
        let begun = Instant::now();
        lab.orders_flow(BETWEEN_FAULTS).await;
        tokio::time::sleep(cut.saturating_sub(begun.elapsed())).await;
        for wire in lab.wires(of, to) {
            wire.mend();
        }
        let took = lab.flows_again(Instant::now()).await;
        let how = if stalls { "stalled" } else { "cut" };
        lab.note(&format!("{of} to {to} {how}"), took);
    }
    lab.audit("a cut between two services").await;
}
