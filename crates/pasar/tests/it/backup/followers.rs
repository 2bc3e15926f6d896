//! One service is put back to an earlier state. Who has followed it further stops until somebody decides; who has
//! not goes on.

use std::time::Instant;

use serde_json::json;

use super::{PATIENCE, Shelf, pasar, succeeds, text};
use crate::{
    api::{Api, order_of},
    system::{Folder, Shape, System, check},
};

const TEA: &str = "fork-tea";
const UNITS: u32 = 1_000;

async fn confirmed(system: &System, orders: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..orders {
        let order = order_of(&[(TEA, 1)], "tok_ok");
        let placed = system.api("KIOSK").order(10, &order).await.expect(201);
        assert_eq!(placed["state"], "confirmed", "{placed:#}");
        ids.push(placed["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Waits until a process says at `/readyz` that it follows what is not there.
async fn diverges(url: &str, expected: &str) {
    let api = Api::new(url, None);
    let begun = Instant::now();
    loop {
        let answer = api.get("/readyz").await;
        let text = answer.body.to_string();
        if answer.status == 503 && text.contains("feed-diverged") && text.contains(expected) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn url_of(system: &System, name: &'static str) -> String {
    format!("http://127.0.0.1:{}", system.folder().port(name, 0))
}

/// What inventory loses it takes once more from the orders feed; orders and the relay had gone further than it.
#[tokio::test(flavor = "multi_thread")]
async fn followers_of_a_rewound_service_stop_until_they_are_reconciled() {
    let mut system = System::start_in(Folder::of_shape(Shape::Apart, ""));
    let (data, shelf) = (system.folder().data(), Shelf::new());
    system.api("STAFF").product(TEA, UNITS).await;
    let mut sold = confirmed(&system, 5).await.len();
    system.quiet().await;
    let backup = shelf.backup(&data, "a");
    sold += confirmed(&system, 5).await.len();
    system.quiet().await;

    system.end_instance("inventory", 0);
    let restore = ["restore", text(&backup), "--only", "inventory", "--replace"];
    let said = succeeds(pasar(&data, &restore));
    for follower in ["orders", "relay"] {
        let advice = format!("pasar reconcile {follower} inventory");
        assert!(said.contains(&advice), "{said}");
    }
    assert!(
        said.contains("inventory follows orders on by itself"),
        "{said}"
    );
    system.revive("inventory");
    for follower in ["orders", "relay"] {
        let advice = format!("pasar reconcile {follower} inventory");
        diverges(&url_of(&system, follower), &advice).await;
    }
    for follower in ["orders", "relay"] {
        system.end_instance(follower, 0);
        let said = succeeds(pasar(&data, &["reconcile", follower, "inventory", "--yes"]));
        assert!(
            said.contains(&format!("{follower} follows inventory from")),
            "{said}"
        );
        system.revive(follower);
    }
    sold += confirmed(&system, 5).await.len();
    system.quiet().await;
    let left = i64::from(UNITS) - i64::try_from(sold).unwrap();
    assert_eq!(system.api("STAFF").stock(TEA).await, (left, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_that_are_not_past_the_fork_go_on_by_themselves() {
    let mut system = System::start_in(Folder::of_shape(Shape::Apart, ""));
    let (data, shelf) = (system.folder().data(), Shelf::new());
    system.api("STAFF").product(TEA, UNITS).await;
    confirmed(&system, 3).await;
    system.quiet().await;
    // Twice, and one of the followers misses the first time.
    system.end_instance("relay", 0);
    for name in ["a", "b"] {
        let backup = shelf.backup(&data, name);
        system.end_instance("inventory", 0);
        let restore = ["restore", text(&backup), "--only", "inventory", "--replace"];
        let said = succeeds(pasar(&data, &restore));
        for follower in ["orders", "relay"] {
            let goes_on = format!("{follower} follows inventory on by itself");
            assert!(said.contains(&goes_on), "{said}");
        }
        system.revive("inventory");
        confirmed(&system, 1).await;
    }
    system.revive("relay");
    confirmed(&system, 3).await;
    system.quiet().await;
    let log = system.folder().log_text();
    assert!(log.contains("following goes on"), "{log}");
    assert!(!log.contains("feed-diverged"), "{log}");
}

/// What staff did after the backup is lost with orders, and nothing else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_rewound_orders_database_is_followed_again_in_one_process() {
    let mut system = System::start_in(Folder::of_shape(Shape::One, ""));
    let (data, shelf) = (system.folder().data(), Shelf::new());
    system.api("STAFF").product(TEA, UNITS).await;
    let ids = confirmed(&system, 4).await;
    system.quiet().await;
    let backup = shelf.backup(&data, "a");
    let staff = system.api("STAFF");
    for id in &ids {
        for done in ["start", "ready", "collect"] {
            let path = format!("/v1/orders/{id}/{done}");
            staff.post(&path, &json!({})).await.expect_success();
        }
    }
    system.quiet().await;
    system.stop();
    let restore = ["restore", text(&backup), "--only", "orders", "--replace"];
    let said = succeeds(pasar(&data, &restore));
    let followers = ["inventory", "payments", "relay"];
    for follower in followers {
        let advice = format!("pasar reconcile {follower} orders");
        assert!(said.contains(&advice), "{said}");
    }
    let mut system = system.start_again();
    for follower in followers {
        let advice = format!("pasar reconcile {follower} orders");
        diverges(system.url(), &advice).await;
    }
    // Orders are taken, and wait for those who do not follow.
    let order = order_of(&[(TEA, 1)], "tok_ok");
    let waits = system.api("KIOSK").order(1, &order).await.expect(201);
    assert_eq!(waits["state"], "placed");
    system.stop();
    let (looked, report) = check(&data, &["--patience", "0"]);
    assert_eq!(looked.status.code(), Some(1), "{report:#}");
    for follower in followers {
        assert!(
            report
                .to_string()
                .contains(&format!("pasar reconcile {follower} orders"))
        );
        succeeds(pasar(&data, &["reconcile", follower, "orders", "--yes"]));
    }
    let system = system.start_again();
    let staff = system.api("STAFF");
    let settled = staff.settled(waits["id"].as_str().unwrap()).await;
    assert_eq!(settled["state"], "confirmed");
    confirmed(&system, 3).await;
    for id in &ids {
        assert_eq!(staff.settled(id).await["state"], "confirmed");
    }
    system.quiet().await;
    let left = i64::from(UNITS) - 8;
    assert_eq!(staff.stock(TEA).await, (left, 0));
}

/// Databases that were put back without `pasar restore` look as if nothing had happened, until they are marked.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_something_else_restored_is_marked() {
    let mut system = System::start_in(Folder::of_shape(Shape::One, ""));
    let data = system.folder().data();
    system.api("STAFF").product(TEA, UNITS).await;
    confirmed(&system, 2).await;
    system.stop();
    let said = succeeds(pasar(&data, &["restore", "--mark"]));
    for publisher in ["users", "inventory", "orders", "payments", "relay"] {
        assert!(
            said.contains(&format!("{publisher} begins epoch epo_")),
            "{said}"
        );
    }
    assert!(said.contains("relay follows orders on by itself"), "{said}");
    // Somebody who is in doubt does it once more.
    succeeds(pasar(&data, &["restore", "--mark", "--only", "orders"]));
    let system = system.start_again();
    confirmed(&system, 2).await;
    system.quiet().await;
}
