//! Standard output that nobody reads: the program ends as others do, without a word, and what it was asked for is done.

use std::{
    fs::File,
    io::{self, PipeWriter},
    path::Path,
    process::{Output, Stdio},
};

use rusqlite::Connection;

use crate::{
    backup::{Shelf, folder_with_orders, text},
    system::program,
};

/// As a shell tells the end by SIGPIPE.
const CLOSED: Option<i32> = Some(141);

/// One that `head` has left.
fn closed() -> PipeWriter {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer
}

fn run(args: &[&str], output: impl Into<Stdio>) -> Output {
    let mut command = program();
    command.args(args).stdout(output).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn whoever_is_not_read_ends_as_if_by_a_signal() {
    let ended = run(&["config"], closed());
    assert_eq!(complaint(&ended), "");
    assert_eq!(ended.status.code(), CLOSED);
}

#[test]
fn what_was_asked_for_is_done_all_the_same() {
    let shelf = Shelf::new();
    let data = shelf.place("data");
    let ended = run(&["migrate", "--data", text(&data)], closed());
    assert_eq!(complaint(&ended), "");
    assert_eq!(ended.status.code(), CLOSED);
    let sandbox = Connection::open(data.join("sandbox.db")).unwrap();
    let steps: i64 = sandbox
        .query_row("SELECT COUNT(*) FROM migration", [], |row| row.get(0))
        .unwrap();
    assert!(steps > 0, "the last one was not made");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_it_found_by_its_exit_code() {
    let folder = folder_with_orders().await;
    let data = folder.data();
    let check = |data: &Path, output| {
        let patience = ["check", "--patience", "0", "--data", text(data)];
        let in_text = run(&patience, output);
        assert_eq!(complaint(&in_text), "");
        in_text.status.code()
    };
    assert_eq!(check(&data, closed()), Some(0));
    let inventory = Connection::open(data.join("inventory.db")).unwrap();
    let broken = inventory.execute("UPDATE stock SET on_hand = on_hand + 1", []);
    assert!(broken.unwrap() > 0);
    assert_eq!(check(&data, closed()), Some(1));
    let json = run(
        &["check", "--json", "--patience", "0", "--data", text(&data)],
        closed(),
    );
    assert_eq!(complaint(&json), "");
    assert_eq!(json.status.code(), Some(1));
}

/// Where there is no room for the output, it was not said.
#[test]
fn a_full_disk_is_not_taken_for_somebody_who_left() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let ended = run(&["config"], full());
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        complaint(&ended).starts_with("pasar: cannot write to standard output"),
        "{}",
        complaint(&ended)
    );
}
