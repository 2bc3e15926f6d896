//! Databases that an earlier version wrote, with orders half done when it was killed, opened by this one.
//!
//! `previous/` holds each as text, with the keyring and keys of a demo that is gone. One is added before a schema
//! changes; none is changed, as what once was written stays so.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use rusqlite::Connection;
use serde_json::json;

use crate::{
    api::order_of,
    system::{Folder, Shape, System},
};

/// What the earlier version was told of its orders, as long as it lived.
const CONFIRMED: [&str; 2] = [
    "ord_01m8bc4fqcfs9skej6sh6mk9v9",
    "ord_01m8bc4fxzfqka2jvs5959d7yg",
];
const CANCELLED: &str = "ord_01m8bc4g51ecs8x1j8c9hpgxar";
/// Its customer had not approved the payment yet.
const WAITING: &str = "ord_01m8bc4gavf7g813c08zf3zqec";
/// Its payment was under way.
const UNDER_WAY: &str = "ord_01m8bc4gj1epds2xf7wmg7sqcw";

/// Lays the databases of an earlier version into a data folder.
fn lay(version: &str, data: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/previous");
    fs::create_dir_all(data).unwrap();
    let mut databases = 0;
    for entry in fs::read_dir(from.join(version)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.extension().is_some_and(|kind| kind == "sql") {
            let database = data.join(name).with_extension("db");
            let database = Connection::open(database).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            database.execute_batch(&text).unwrap();
            databases += 1;
        } else {
            let copy = data.join(name);
            fs::copy(&path, &copy).unwrap();
            // A clone of the repository makes them readable by all, which no process puts up with.
            fs::set_permissions(&copy, Permissions::from_mode(0o600)).unwrap();
        }
    }
    assert_eq!(databases, 6, "{version}");
}

async fn goes_on(version: &str, shape: Shape) {
    let folder = Folder::of_shape(shape, "");
    lay(version, &folder.data());
    let system = tokio::task::block_in_place(|| System::start_in(folder));
    let (staff, customer) = (system.api("STAFF"), system.api("CUSTOMER"));
    for id in CONFIRMED {
        let order = staff.get(&format!("/v1/orders/{id}")).await.expect(200);
        assert_eq!(order["state"], "confirmed");
        assert_eq!(order["payment"]["state"], "captured");
    }
    let order = staff.settled(CANCELLED).await;
    assert_eq!(order["state"], "cancelled");
    // Whether its time has passed depends on when this runs; in the end it is cancelled.
    let cancel = format!("/v1/orders/{WAITING}/cancel");
    let asked = customer.post(&cancel, &json!({})).await;
    assert!(
        matches!(asked.status, 200 | 202 | 409),
        "{}: {:#}",
        asked.status,
        asked.body
    );
    assert_eq!(staff.settled(WAITING).await["state"], "cancelled");
    let order = staff.settled(UNDER_WAY).await;
    let sold = match order["state"].as_str() {
        Some("confirmed") => 6,
        Some("cancelled") => 4,
        _ => panic!("{order:#}"),
    };
    // And it is used as any other.
    let order = order_of(&[("kopi-susu", 1)], "tok_ok");
    let order = customer.order(5, &order).await.expect(201);
    assert_eq!(order["state"], "confirmed", "{order:#}");
    let subscriptions = system.api("INTEGRATOR").get("/v1/subscriptions").await;
    let subscriptions = subscriptions.expect(200);
    assert_eq!(
        subscriptions["items"][0]["topics"][1], "orders",
        "{subscriptions:#}"
    );
    // Dropping it checks it; nothing may be under way then.
    system.quiet().await;
    assert_eq!(staff.stock("kopi-susu").await, (200 - sold - 1, 0));
    tokio::task::block_in_place(|| drop(system));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_goes_on_where_an_earlier_version_was_killed() {
    goes_on("2026-11-26", Shape::One).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_go_on_where_an_earlier_version_was_killed() {
    goes_on("2026-11-26", Shape::Apart).await;
}
