//! Folders that are not what a command takes them for: nothing is made in them, nothing changed, and it says what they
//! are.

mod content;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::{
    backup::{Shelf, fails, folder_with_orders, pasar, succeeds, text},
    system::check,
};

const DATABASES: [&str; 6] = [
    "users",
    "inventory",
    "orders",
    "payments",
    "relay",
    "sandbox",
];

/// All files of a folder, with what they hold.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Moves a database of a system that is down.
fn carry(name: &str, from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for ending in ["db", "db-wal", "db-shm"] {
        let file = format!("{name}.{ending}");
        if from.join(&file).exists() {
            fs::rename(from.join(&file), to.join(&file)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_is_not_in_the_folder_is_not_reconciled_and_nothing_is_made() {
    let (folder, shelf) = (folder_with_orders().await, Shelf::new());
    let reconcile = ["reconcile", "orders", "inventory", "--yes"];
    let missing = shelf.place("missing");
    let complaint = fails(pasar(&missing, &reconcile));
    let expected = format!(
        "the database of orders is not in {}; name its folder with --data",
        missing.display()
    );
    assert!(complaint.contains(&expected), "{complaint}");
    assert!(!missing.exists());

    let of_inventory = shelf.place("inventory");
    carry("inventory", &folder.data(), &of_inventory);
    let before = content(&of_inventory);
    let complaint = fails(pasar(&of_inventory, &reconcile));
    assert!(
        complaint.contains("orders is not in"),
        "beside the publisher: {complaint}"
    );
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&content(&of_inventory)), names(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_begins_anew_already_is_told_so_and_a_stranger_that_it_follows_nothing() {
    let folder = folder_with_orders().await;
    let inventory = Connection::open(folder.data().join("inventory.db")).unwrap();
    let forgotten = inventory.execute("DELETE FROM follower_position", []);
    assert!(forgotten.unwrap() > 0);
    drop(inventory);
    let reconcile =
        |follower, publisher| pasar(&folder.data(), &["reconcile", follower, publisher, "--yes"]);
    let said = succeeds(reconcile("inventory", "orders"));
    assert!(said.contains("begins anew when it starts"), "{said}");
    let said = succeeds(reconcile("inventory", "payments"));
    assert!(
        said.contains("inventory does not follow payments"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_is_missing_and_refuses_two_databases_of_one_service() {
    let (folder, shelf) = (folder_with_orders().await, Shelf::new());
    let (data, apart) = (folder.data(), shelf.place("apart"));
    carry("orders", &data, &apart);
    let (output, _) = check(&data, &[]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("the database of orders is not in")
            && complaint.contains("--also")
            && complaint.contains(text(&data)),
        "{complaint}"
    );
    // A folder that is named twice holds nothing twice.
    let also = ["--also", text(&apart), "--also", text(&apart)];
    let (output, report) = check(&data, &also);
    assert!(output.status.success(), "{report:#}");

    let other = shelf.place("other");
    succeeds(pasar(&other, &["migrate", "orders"]));
    let also = ["--also", text(&other), "--also", text(&apart)];
    let (output, _) = check(&data, &also);
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    for folder in [&other, &apart] {
        let file = fs::canonicalize(folder.join("orders.db")).unwrap();
        assert!(complaint.contains(text(&file)), "{complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_stays_as_it_was_made() {
    let (folder, shelf) = (folder_with_orders().await, Shelf::new());
    let backup = shelf.backup(&folder.data(), "backup");
    let before = content(&backup);
    let again = shelf.place("again");
    let commands: [&[&str]; 7] = [
        &["migrate"],
        &["up", "--bind", "127.0.0.1:0"],
        &["up", "gateway", "--demo", "--bind", "127.0.0.1:0"],
        &["reconcile", "orders", "inventory", "--yes"],
        &["restore", text(&backup), "--replace"],
        &["restore", "--mark"],
        &["user", "reset", "admin@localhost"],
    ];
    for command in commands {
        let complaint = fails(pasar(&backup, command));
        assert!(
            complaint.contains("is a backup") && complaint.contains("pasar restore"),
            "{command:?}: {complaint}"
        );
        assert_eq!(content(&backup), before, "{command:?}");
    }
    let complaint = fails(pasar(&backup, &["backup", text(&again)]));
    assert!(complaint.contains("is a backup itself"), "{complaint}");
    assert_eq!(content(&backup), before);
    succeeds(pasar(&again, &["restore", text(&backup)]));
}

#[test]
fn databases_that_are_made_anew_are_said_to_be_new_once() {
    let shelf = Shelf::new();
    let said = succeeds(pasar(&shelf.place("typo"), &["migrate"]));
    assert_eq!(said.matches("is new, with").count(), 6, "{said}");
    assert!(said.contains("6 databases were made anew"), "{said}");
    assert!(said.contains("--data"), "{said}");
    let said = succeeds(pasar(&shelf.place("typo"), &["migrate"]));
    assert_eq!(said.matches("was up to date").count(), 6, "{said}");
    assert!(!said.contains("anew"), "{said}");
}
