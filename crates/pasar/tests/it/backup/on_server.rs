//! Databases on PostgreSQL are backed up and restored by its own tools. What is Pasar's part is the new epoch.

use std::process::{Command, Stdio};

use pasar_testkit::servers::Server;
use serde_json::json;

use super::{Shelf, fails, pasar, succeeds, text};
use crate::{
    api::order_of,
    system::{Folder, System},
};

/// What docs/backup.md tells to run.
fn run(program: &str, args: &[&str]) {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

async fn confirmed(system: &System) -> String {
    let order = order_of(&[("dump-tea", 1)], "tok_ok");
    let placed = system.api("KIOSK").order(10, &order).await.expect(201);
    assert_eq!(placed["state"], "confirmed", "{placed:#}");
    placed["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_put_back_is_marked_and_its_followers_are_reconciled() {
    let Some(server) = Server::shared("postgres").await else {
        return;
    };
    let server = server.postgres_url();
    let folder = Folder::of_cluster(&server, "");
    let place = folder.place("orders").to_string();
    let (_, schema) = place.split_once("schema=").unwrap();
    let mut system = tokio::task::block_in_place(|| System::start_in(folder));
    let (data, shelf) = (system.folder().data(), Shelf::new());
    system.api("STAFF").product("dump-tea", 100).await;
    let id = confirmed(&system).await;
    system.quiet().await;
    let complaint = fails(pasar(&data, &["backup", text(&shelf.place("a"))]));
    assert!(complaint.contains("pg_dump"), "{complaint}");
    let dump = shelf.place("orders.dump");
    let (name, file) = (
        format!("--schema={schema}"),
        format!("--file={}", text(&dump)),
    );
    run("pg_dump", &["--format=custom", &name, &file, &server]);
    for done in ["start", "ready"] {
        let path = format!("/v1/orders/{id}/{done}");
        let staff = system.api("STAFF");
        staff.post(&path, &json!({})).await.expect_success();
    }
    system.quiet().await;

    let complaint = fails(pasar(&data, &["restore", "--mark", "--only", "orders"]));
    assert!(
        complaint.contains("a process works on these databases"),
        "{complaint}"
    );
    system.stop();
    let database = format!("--dbname={server}");
    run(
        "pg_restore",
        &["--clean", "--if-exists", &database, text(&dump)],
    );
    let complaint = fails(pasar(&data, &["restore", text(&dump)]));
    assert!(complaint.contains("pasar restore --mark"), "{complaint}");
    let said = succeeds(pasar(&data, &["restore", "--mark", "--only", "orders"]));
    for follower in ["inventory", "payments", "relay"] {
        let advice = format!("pasar reconcile {follower} orders");
        assert!(said.contains(&advice), "{said}");
        succeeds(pasar(&data, &["reconcile", follower, "orders", "--yes"]));
    }
    assert!(
        said.contains("orders follows inventory on by itself"),
        "{said}"
    );
    let system = tokio::task::block_in_place(|| system.start_again());
    confirmed(&system).await;
    let order = system.api("STAFF").settled(&id).await;
    assert_eq!(
        order["state"], "confirmed",
        "what staff did is lost with it"
    );
    system.quiet().await;
}
