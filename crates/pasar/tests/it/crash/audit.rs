//! What must stand after the last kill, counted in the provider's books and by `pasar check`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Lab,
    load::{Kind, Load},
};
use crate::{api::Api, system};

/// The final state of each acknowledged order, by id.
pub(crate) type Settled = BTreeMap<String, String>;

/// From the last start on.
const LONGEST_SETTLING: Duration = Duration::from_secs(90);
const CONFIRMED_PER_CENT: usize = 99;

pub(super) async fn wait_until_settled(staff: &Api, load: &Load) -> Settled {
    let until = Instant::now() + LONGEST_SETTLING;
    let mut settled = Settled::new();
    for order in load.acknowledged.values() {
        loop {
            let answer = staff.get(&format!("/v1/orders/{}", order.id)).await;
            assert_eq!(
                answer.status, 200,
                "{} was acknowledged and is gone",
                order.id
            );
            let state = answer.body["state"].as_str().unwrap().to_owned();
            // Cash that nobody pays is confirmed for a second.
            let wait = matches!(state.as_str(), "placed" | "cancelling")
                || (order.kind == Kind::Cash && state == "confirmed");
            if !wait {
                settled.insert(order.id.clone(), state);
                break;
            }
            assert!(
                Instant::now() < until,
                "{} does not settle: {:#}",
                order.id,
                answer.body
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    settled
}

/// The followers must reach the heads, and all databases agree, while the system runs.
pub(super) fn check_running(lab: &Lab) {
    let report = run_check(lab);
    assert_eq!(report["running"], true);
}

/// While nothing runs, what was cut off is in flight and not wrong.
pub(super) fn check_killed(lab: &Lab) {
    let report = run_check(lab);
    assert_eq!(report["running"], false);
}

fn run_check(lab: &Lab) -> Value {
    let books = lab.provider.books();
    let (output, report) =
        system::check(&lab.folder.data(), &["--books", &books.to_string_lossy()]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "check finds: {errors}{report:#}");
    report
}

pub(super) fn check(lab: &Lab, settled: &Settled, cycles: usize) {
    let load = &lab.load;
    println!(
        "{}; {} orders acknowledged, {} requests repeated",
        lab.plan,
        load.acknowledged.len(),
        load.repeated
    );
    assert!(
        load.acknowledged.len() >= 20 * cycles,
        "too few orders were acknowledged"
    );
    assert!(
        load.repeated > 0,
        "no kill left a request without an answer"
    );
    assert_eq!(load.contradictions, [""; 0], "one key made two orders");
    let ids: BTreeSet<&String> = load.acknowledged.values().map(|order| &order.id).collect();
    assert_eq!(
        ids.len(),
        load.acknowledged.len(),
        "two keys share an order"
    );
    check_states(load, settled);
    if !cfg!(feature = "crash-points") {
        println!("only random kills: the points need --features pasar/crash-points");
    }
    assert!(
        lab.plan.is_complete(cycles),
        "a point was not met often enough: {}",
        lab.plan
    );

    let report = run_check(lab);
    for rule in [
        "settled",
        "feed",
        "payments",
        "provider",
        "stock-movements",
        "ledger-balance",
    ] {
        let looked_at = report["looked_at"][rule].as_u64().unwrap_or(0);
        assert!(
            looked_at > 0,
            "check looked at nothing for {rule}: {report:#}"
        );
    }
    let orders = report["looked_at"]["settled"].as_u64().unwrap();
    assert_eq!(
        orders,
        ids.len() as u64,
        "there are orders that nobody placed, or some are lost"
    );
    assert_eq!(report["in_flight"], Value::Array(Vec::new()), "{report:#}");
    check_books(&lab.provider.books(), settled);
}

fn check_states(load: &Load, settled: &Settled) {
    let paid: Vec<&str> = load
        .acknowledged
        .values()
        .filter(|order| order.kind == Kind::Paid)
        .map(|order| settled[&order.id].as_str())
        .collect();
    let confirmed = paid.iter().filter(|state| **state == "confirmed").count();
    println!("{confirmed} of {} paid orders are confirmed", paid.len());
    assert!(!paid.is_empty(), "nothing was paid");
    assert!(
        confirmed * 100 >= paid.len() * CONFIRMED_PER_CENT,
        "too many were cancelled"
    );
    for order in load
        .acknowledged
        .values()
        .filter(|order| order.kind != Kind::Paid)
    {
        assert_eq!(settled[&order.id], "cancelled", "{order:?}");
    }
}

/// Every charge of the provider against the order that it is for.
pub(crate) fn check_books(books: &Path, settled: &Settled) {
    let books = Connection::open_with_flags(books, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut charges = books
        .prepare("SELECT reference, authorizations, captures, captured_minor, refunded_minor FROM charge")
        .unwrap();
    let mut rows = charges.query([]).unwrap();
    let mut captured = 0;
    while let Some(row) = rows.next().unwrap() {
        let reference: [u8; 16] = row.get(0).unwrap();
        let id = pasar_types::id::OrderId::from_bytes(reference).to_string();
        let [authorizations, captures, taken, back] =
            [1, 2, 3, 4].map(|column| row.get::<_, i64>(column).unwrap());
        assert!(
            authorizations <= 1 && captures <= 1,
            "{id} was charged twice"
        );
        let state = settled
            .get(&id)
            .unwrap_or_else(|| panic!("a charge for unknown {id}"));
        let kept = taken - back;
        assert_eq!(
            kept > 0,
            state == "confirmed",
            "{id} is {state}, the provider keeps {kept}"
        );
        captured += captures;
    }
    println!("the provider's books hold {captured} captures, each once");
    assert!(captured > 0, "nothing was captured");
}
