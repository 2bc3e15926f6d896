//! `pasar check` itself: each rule sees the one thing that is broken for it, and names rule and row.

mod broken;

use std::{fs, path::Path};

use pasar_testkit::process::Process;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::broken::{BROKEN, Broken};
use crate::{
    api::{cash_order_of, order_of},
    system::{Folder, System, check, program, ready_at},
};

/// Data of every kind that a rule looks at.
async fn data() -> Folder {
    let mut system = System::start();
    let (kiosk, staff) = (system.api("KIOSK"), system.api("STAFF"));
    staff.product("rule-tea", 100).await;
    let lines = [("rule-tea", 2)];
    let mut ids = Vec::new();
    for token in ["tok_ok", "tok_ok", "tok_declined", "tok_ok"] {
        let order = kiosk.order(10, &order_of(&lines, token)).await.expect(201);
        ids.push(order["id"].as_str().unwrap().to_owned());
    }
    kiosk.order(10, &cash_order_of(&lines)).await.expect(201);
    let refund = json!({ "lines": [{ "sku": "rule-tea", "quantity": 1 }], "restock": true, "reason": "cold" });
    staff
        .post(&format!("/v1/orders/{}/refunds", ids[0]), &refund)
        .await
        .expect_success();
    staff
        .post(&format!("/v1/orders/{}/cancel", ids[1]), &json!({}))
        .await
        .expect_success();
    for id in &ids {
        staff.settled(id).await;
    }
    system.quiet().await;
    system.stop();
    let folder = system.into_folder();
    deliver_nothing(&folder.data());
    folder
}

/// A subscription whose destination takes nothing.
fn deliver_nothing(data: &Path) {
    let database = Connection::open(data.join("relay.db")).unwrap();
    database
        .execute_batch(
            "INSERT INTO subscription (id, owner, state, spec, secret_places, created_at, version, keyversion)
             VALUES (x'01890000000070008000000000000007', 'operator', 'active', '{}', '[]', 0, 0, 0);
             INSERT INTO progress (subscription, position, attached)
             SELECT id, 3, 0 FROM subscription;
             INSERT INTO retry (subscription, position, key, attempts, due, held, since)
             SELECT id, 1, 'k', 1, 0, 0, 0 FROM subscription
             UNION ALL SELECT id, 2, 'k', 0, 0, 1, 0 FROM subscription;
             INSERT INTO dead_letter (subscription, position, attempts, last_error, since)
             SELECT id, 3, 24, 'it took nothing', 0 FROM subscription;
             INSERT INTO attempt (subscription, position, attempt, at, took_us, delivered)
             SELECT id, 1, 1, 0, 10, 0 FROM subscription;",
        )
        .unwrap();
}

fn copy(data: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn break_it(data: &Path, broken: &Broken) {
    let path = data.join(format!("{}.db", broken.database));
    let database = Connection::open(path).unwrap();
    database
        .pragma_update(None, "ignore_check_constraints", "ON")
        .unwrap();
    let rows = database.execute(broken.sql, []).unwrap();
    assert!(rows > 0, "nothing was broken by {}", broken.sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_names_what_is_broken_for_it() {
    let folder = data().await;
    let (output, whole) = check(&folder.data(), &[]);
    assert!(output.status.success(), "{whole:#}");
    assert_eq!(whole["in_flight"], json!([]));
    for (rule, looked_at) in whole["looked_at"].as_object().unwrap() {
        assert!(
            looked_at.as_u64() > Some(0),
            "{rule} looked at nothing: {whole:#}"
        );
        assert!(
            BROKEN.iter().any(|broken| broken.rule == rule),
            "nothing breaks {rule}"
        );
    }
    for broken in &BROKEN {
        let copy = copy(&folder.data());
        break_it(copy.path(), broken);
        let (output, report) = check(copy.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{}: {report:#}", broken.sql);
        let named = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| {
                finding["rule"] == broken.rule
                    && finding["row"].as_str().unwrap().contains(broken.row)
                    && finding["what"]
                        .as_str()
                        .is_some_and(|what| !what.is_empty())
            });
        assert!(
            named,
            "{} ({} {}): {report:#}",
            broken.sql, broken.rule, broken.row
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_nobody_asked_for_again_may_be_unknown_to_its_provider() {
    let folder = data().await;
    let forgotten = Broken {
        database: "sandbox",
        sql: "DELETE FROM charge WHERE state = 'declined'",
        rule: "provider",
        row: "payments payment pay_",
    };
    break_it(&folder.data(), &forgotten);
    let (output, report) = check(&folder.data(), &[]);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let expired = Broken {
        database: "payments",
        sql: "UPDATE payment SET reason = 'expired' WHERE state = 'declined'",
        ..forgotten
    };
    break_it(&folder.data(), &expired);
    let (output, report) = check(&folder.data(), &[]);
    assert!(output.status.success(), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_orders_says_that_nothing_was_held_against_each_other() {
    let mut system = System::start();
    system.stop();
    let (output, report) = check(&system.folder().data(), &[]);
    assert!(output.status.success(), "{report:#}");
    assert!(
        report["notes"][0].as_str().unwrap().contains("no order"),
        "{report:#}"
    );
    assert_eq!(report["looked_at"]["settled"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_runs_alone_is_checked_without_a_shop() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = program();
    command
        .args(["up", "relay", "--bind", "127.0.0.1:0", "--data"])
        .arg(&data);
    let mut process = Process::start(&mut command).unwrap();
    ready_at(&mut process).unwrap();
    // It waits until the relay has copied what users told.
    let (output, report) = check(&data, &[]);
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["looked_at"]["settled"], 0);
    process.kill().unwrap();
    let (output, report) = check(&data, &[]);
    assert!(output.status.success(), "{report:#}");
    assert!(
        report["looked_at"]["copied"].as_u64() > Some(0),
        "{report:#}"
    );
    let sql = "UPDATE log SET bytes = bytes + 1";
    let broken = BROKEN.iter().find(|broken| broken.sql == sql).unwrap();
    break_it(&data, broken);
    let (output, report) = check(&data, &[]);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
}

#[test]
fn what_cannot_be_looked_at_is_no_clean_bill() {
    let folder = tempfile::tempdir().unwrap();
    for data in [folder.path(), &folder.path().join("missing")] {
        let (output, report) = check(data, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(report, Value::Null);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            error.contains("--data") || error.contains("data folder"),
            "{error}"
        );
    }
}
