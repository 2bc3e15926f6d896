//! Files under a database's name that are none, or another's.

use std::fs;

use rusqlite::Connection;

use super::{DATABASES, content};
use crate::{
    backup::{Shelf, fails, folder_with_orders, pasar, succeeds, text},
    system::check,
};

#[test]
fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let shelf = Shelf::new();
    let data = shelf.place("data");
    fs::create_dir(&data).unwrap();
    let file = data.join("orders.db");
    let foreign = Connection::open(&file).unwrap();
    foreign.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(foreign);
    let before = fs::read(&file).unwrap();
    let up = ["up", "--bind", "127.0.0.1:0"];
    let backup = ["backup", text(&shelf.place("backup"))].map(str::to_owned);
    let backup = backup.each_ref().map(String::as_str);
    for command in [&["migrate", "orders"][..], &up, &backup] {
        let complaint = fails(pasar(&data, command));
        assert!(
            complaint.contains("is not a database of Pasar") && complaint.contains("orders"),
            "{command:?}: {complaint}"
        );
        assert_eq!(fs::read(&file).unwrap(), before, "{command:?}");
    }
    assert!(!shelf.place("backup").exists());
}

#[test]
fn an_empty_file_is_what_a_first_start_left_and_begins_anew() {
    let shelf = Shelf::new();
    let data = shelf.place("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("orders.db"), "").unwrap();
    let said = succeeds(pasar(&data, &["migrate", "orders"]));
    assert!(said.contains("is new"), "{said}");
}

/// Whichever is taken for whichever.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_another_service_is_named_and_not_backed_up() {
    let (folder, shelf) = (folder_with_orders().await, Shelf::new());
    let backup = shelf.backup(&folder.data(), "backup");
    for (number, taken) in DATABASES.into_iter().enumerate() {
        let name = DATABASES[(number + 1) % DATABASES.len()];
        let data = shelf.place(&format!("{taken} for {name}"));
        fs::create_dir(&data).unwrap();
        let copy = |from: &str, to: &str| {
            let (from, to) = (format!("{from}.db"), format!("{to}.db"));
            fs::copy(backup.join(from), data.join(to)).unwrap();
        };
        copy(taken, name);
        let before = content(&data);
        let expected = format!("this is the database of {taken}");
        let to = shelf.place(&format!("backup of {taken}"));
        let complaint = fails(pasar(&data, &["backup", text(&to)]));
        assert!(complaint.contains(&expected), "{complaint}");
        assert!(!to.exists());
        assert_eq!(content(&data), before, "backup");

        let service = if name == "sandbox" { "payments" } else { name };
        let complaint = fails(pasar(&data, &["migrate", service]));
        assert!(complaint.contains(&expected), "{complaint}");
        for other in DATABASES.into_iter().filter(|other| *other != name) {
            copy(other, other);
        }
        let (output, _) = check(&data, &[]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(&expected), "{complaint}");
    }
}
