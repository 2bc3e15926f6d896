//! What must stand after the last fault.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{followers::Heard, lab::Lab};
use crate::{
    api::Api,
    crash::audit::{Settled, check_books},
    system::check as run_check,
};

/// From the last fault on.
const LONGEST_SETTLING: Duration = Duration::from_secs(90);

pub(super) async fn check(lab: Lab, fault: &str) {
    let Lab {
        system,
        server,
        provider,
        load,
        follower,
        webhook,
        mut took,
        probes,
        ..
    } = lab;
    let told = load.stop().await;
    let mut orders: BTreeSet<&str> = told.orders.values().map(String::as_str).collect();
    assert_eq!(
        orders.len(),
        told.orders.len(),
        "two keys were told one order"
    );
    orders.extend(probes.iter().map(String::as_str));
    let staff = system.api("STAFF");
    let settled = settle(&staff, &orders).await;
    for (id, state) in &settled {
        assert_eq!(state, "confirmed", "{id}");
    }
    check_books(&provider.books(), &settled);
    check_databases(&system, &provider.books(), settled.len());
    all_is_told("the stream", &follower.heard, &orders).await;
    all_is_told("the webhook", &webhook.heard, &orders).await;
    let heard = follower.heard.lock().unwrap();
    assert_eq!(heard.out_of_order, [""; 0], "the stream left something out");
    assert_eq!(heard.again, 0, "the stream said something twice");
    let hook = webhook.heard.lock().unwrap();
    assert_eq!(
        hook.out_of_order, [""; 0],
        "the webhook was not told in order"
    );

    took.sort();
    let seconds = |at: usize| took[at.min(took.len() - 1)].as_secs_f64();
    println!(
        "proof: | {fault} | {} | {} | {} | {} | {} | {:.1} s | {:.1} s |",
        took.len(),
        orders.len(),
        told.repeated,
        heard.resumed,
        hook.again,
        seconds(took.len() / 2),
        seconds(took.len()),
    );
    drop((heard, hook));
    tokio::task::block_in_place(|| drop(system));
    drop(server);
}

async fn settle(staff: &Api, orders: &BTreeSet<&str>) -> Settled {
    let begun = Instant::now();
    let mut settled = Settled::new();
    for id in orders {
        loop {
            let answer = staff.get(&format!("/v1/orders/{id}")).await;
            assert_ne!(answer.status, 404, "{id} was acknowledged and is gone");
            let state = answer.body["state"].as_str().unwrap_or("placed");
            if !matches!(state, "placed" | "cancelling") {
                settled.insert((*id).to_owned(), state.to_owned());
                break;
            }
            assert!(
                begun.elapsed() < LONGEST_SETTLING,
                "{id} does not settle: {answer:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    settled
}

fn check_databases(system: &crate::system::System, books: &std::path::Path, orders: usize) {
    let data = system.folder().data();
    let books = books.to_string_lossy();
    let (output, report) =
        tokio::task::block_in_place(|| run_check(&data, &["--books", &books, "--patience", "60"]));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "check finds: {errors}{report:#}");
    let looked_at = report["looked_at"]["settled"].as_u64();
    assert_eq!(
        looked_at,
        u64::try_from(orders).ok(),
        "there are orders that nobody placed, or some are lost: {report:#}"
    );
}

async fn all_is_told(who: &str, heard: &std::sync::Mutex<Heard>, orders: &BTreeSet<&str>) {
    let begun = Instant::now();
    loop {
        let missing = {
            let heard = heard.lock().unwrap();
            let confirmed = heard.confirmed();
            orders.difference(&confirmed).count()
        };
        if missing == 0 {
            return;
        }
        assert!(
            begun.elapsed() < LONGEST_SETTLING,
            "{who} was not told of {missing} of {} orders",
            orders.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
