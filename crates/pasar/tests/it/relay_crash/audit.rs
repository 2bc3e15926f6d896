//! What must stand after the last kill, counted at the receiver and the reader, and by `pasar check`.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Lab, WINDOW};
use crate::system;

/// From the last start on. A message that was refused is tried again within a second.
const LONGEST_ARRIVAL: Duration = Duration::from_secs(120);
const ORDERINGS: [&str; 3] = ["none", "key", "strict"];

pub(super) async fn wait_until_arrived(lab: &Lab) {
    let until = Instant::now() + LONGEST_ARRIVAL;
    for id in &lab.senders.acknowledged {
        loop {
            let missing = ORDERINGS
                .into_iter()
                .find(|ordering| !lab.receiver.has_taken(ordering, id))
                .or_else(|| (!lab.reader.has_seen(id)).then_some("the reader"));
            let Some(missing) = missing else { break };
            if Instant::now() >= until {
                lab.folder.print_log();
                panic!("{id} was acknowledged and does not arrive at {missing}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Nothing is wrong in the databases. While nothing runs, what was cut off is in flight.
pub(super) fn check_databases(lab: &Lab, running: bool) {
    let (output, report) = system::check(&lab.folder.data(), &[]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "check finds: {errors}{report:#}");
    assert_eq!(report["running"], running);
    for rule in ["log", "log-bytes", "progress"] {
        let looked_at = report["looked_at"][rule].as_u64();
        assert!(looked_at > Some(0), "check looked at nothing for {rule}");
    }
}

pub(super) fn check(lab: &Lab, cycles: usize) {
    let senders = &lab.senders;
    let acknowledged = senders.acknowledged.len();
    println!(
        "{}; {} kills, {acknowledged} messages acknowledged, {} sent again without an answer",
        lab.plan, lab.kills, senders.repeated
    );
    assert!(
        acknowledged >= super::LEAST_ACKNOWLEDGED * cycles,
        "too few messages were acknowledged"
    );
    assert!(
        senders.repeated > 0,
        "no kill left a message without an answer"
    );
    check_receiver(lab);
    let seen = lab.reader.seen();
    println!(
        "the reader came back {} times and saw {} messages",
        seen.connections.saturating_sub(1),
        seen.messages.len()
    );
    assert_eq!(seen.wrong, [""; 0], "the reader was not led on well");
    assert!(seen.connections > cycles, "the reader never came back");
    let twice = seen.messages.iter().find(|(_, times)| **times > 1);
    assert_eq!(twice, None, "the reader got a message twice");
    if !cfg!(feature = "crash-points") {
        println!("only random kills: the points need --features pasar/crash-points");
    }
    assert!(
        lab.plan.is_complete(cycles),
        "a point was not met often enough: {}",
        lab.plan
    );
    let (_, report) = system::check(&lab.folder.data(), &[]);
    assert_eq!(report["in_flight"], Value::Array(Vec::new()), "{report:#}");
}

fn check_receiver(lab: &Lab) {
    let arrived = lab.receiver.arrived();
    for ordering in ORDERINGS {
        let of = &arrived[ordering];
        assert_eq!(of.disorder, [""; 0], "{ordering} was not kept");
        let window = if ordering == "strict" { 1 } else { WINDOW };
        let again: u64 = of
            .messages
            .values()
            .map(|times| u64::from(times.taken.saturating_sub(1)))
            .sum();
        let refused: u64 = of
            .messages
            .values()
            .map(|times| u64::from(times.refused))
            .sum();
        println!(
            "{ordering}: {} messages arrived, {again} of them once more under the same id; {refused} were \
             refused first",
            of.messages.len()
        );
        assert!(refused > 0, "nothing was refused at {ordering}");
        let most = u64::from(window) * lab.kills as u64;
        assert!(
            again <= most,
            "{again} duplicates of {ordering} in {} kills with a window of {window}",
            lab.kills
        );
    }
}
