//! An event that a service cannot take waits, is shown with its reason, and can be given up; others go on.

use std::{path::Path, process::Output};

use pasar_testkit::process::Process;
use rusqlite::Connection;

use crate::{
    api::{Api, order_of},
    system::{Folder, System, program, ready_at},
};

const UNKNOWN: &str = "ord_01h455vb4pex5vsknk084sn02q";

/// Inventory says that it holds stock for an order that orders does not have, as after a restore of orders alone.
fn tell_of_an_unknown_order(folder: &Folder) {
    let database = Connection::open(folder.data().join("inventory.db")).unwrap();
    let told = database.execute(
        "INSERT INTO feed (sequence, id, type, key, keyversion, time, flow, actor, data)
         SELECT (SELECT head + 1 FROM feed_head), zeroblob(16), type, ?1, 1, time, flow, actor,
                replace(data, key, ?1)
         FROM feed WHERE type = 'stock.reserved.v1' LIMIT 1",
        [UNKNOWN],
    );
    assert_eq!(told.unwrap(), 1);
    let sql = "UPDATE feed_head SET head = head + 1";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
}

fn parked(data: &Path, more: &[&str]) -> (Output, String) {
    let mut command = program();
    command.args(["parked", "orders", "--data"]).arg(data);
    let output = command.args(more).output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said += &String::from_utf8_lossy(&output.stderr);
    (output, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_taken_is_shown_and_given_up_and_nothing_else_waits_for_it() {
    let mut system = tokio::task::block_in_place(|| System::start_in(Folder::new("")));
    system.api("STAFF").product("parked-tea", 10).await;
    let order = order_of(&[("parked-tea", 1)], "tok_ok");
    system.api("KIOSK").order(10, &order).await.expect(201);
    system.quiet().await;
    system.stop();
    let folder = system.into_folder();
    tell_of_an_unknown_order(&folder);
    let data = folder.data();
    let (output, said) = parked(&data, &[]);
    assert!(
        output.status.success() && said.contains("nothing waits"),
        "{said}"
    );

    let mut process = Process::start(&mut folder.command()).unwrap();
    let url = ready_at(&mut process).unwrap();
    // Others are taken as ever.
    let kiosk = Api::new(&url, Some(folder.key("KIOSK")));
    let settled = kiosk.order(10, &order).await.expect(201);
    assert_eq!(settled["state"], "confirmed", "{settled:#}");
    let (_, said) = parked(&data, &[]);
    let reason = format!("order {UNKNOWN} is not known here");
    assert!(said.contains(UNKNOWN) && said.contains(&reason), "{said}");
    assert!(said.contains("stock.reserved.v1"), "{said}");
    let advice = format!("pasar parked orders --give-up {UNKNOWN}");
    assert!(said.contains(&advice), "{said}");
    let (output, said) = parked(&data, &["--give-up", UNKNOWN]);
    assert!(!output.status.success(), "orders runs: {said}");

    process.kill().unwrap();
    let (output, said) = parked(&data, &["--give-up", UNKNOWN]);
    assert!(output.status.success() && said.contains("1 of"), "{said}");
    let (output, said) = parked(&data, &["--give-up", UNKNOWN]);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let (_, said) = parked(&data, &[]);
    assert!(said.contains("nothing waits"), "{said}");
}
