//! Damaged backups, folders that are in use, and runs that were killed: nothing is taken for what it is not.

use std::{fs, path::Path};

use pasar_store::crash::CrashPoint;

use super::{Shelf, fails, folder_with_orders, pasar, succeeds, text};
use crate::system::{Folder, Shape, System, check, program};

/// Spoils a copy of a backup.
type Spoil = fn(&Path);

const KEYS_FLIPPED: &str = "a flipped byte of the keys";

const SPOILT: [(&str, Spoil, &str); 9] = [
    (
        "a flipped byte",
        |backup| flip(&backup.join("orders.db")),
        "orders.db is damaged",
    ),
    (
        KEYS_FLIPPED,
        |backup| flip(&backup.join("keyring.json")),
        "keyring.json is damaged",
    ),
    (
        "a file is cut off",
        |backup| cut(&backup.join("users.db")),
        "users.db is damaged",
    ),
    (
        "a file is missing",
        |backup| fs::remove_file(backup.join("payments.db")).unwrap(),
        "lacks",
    ),
    (
        "the manifest is missing",
        |backup| fs::remove_file(backup.join("manifest.json")).unwrap(),
        "holds no whole backup",
    ),
    (
        "the manifest is cut off",
        |backup| cut(&backup.join("manifest.json")),
        "manifest.json is damaged",
    ),
    (
        "another format",
        |backup| change(backup, "\"format\": 1", "\"format\": 7"),
        "in format 7, and this version reads 1",
    ),
    (
        "another head",
        |backup| change(backup, "\"head\": ", "\"head\": 1"),
        "is not what its manifest says",
    ),
    (
        "a name that leads elsewhere",
        |backup| change(backup, "\"orders.db\"", "\"../orders.db\""),
        "it names",
    ),
];

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn change(backup: &Path, from: &str, to: &str) {
    let path = backup.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Databases, and what may lie beside them.
fn databases(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names.filter(|name| name.contains(".db")).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_named_and_nothing_of_it_is_restored() {
    let folder = folder_with_orders().await;
    let shelf = Shelf::new();
    let whole = shelf.backup(&folder.data(), "whole");
    for (number, (what, spoil, expected)) in SPOILT.into_iter().enumerate() {
        let backup = shelf.place(&format!("spoilt-{number}"));
        copy_folder(&whole, &backup);
        spoil(&backup);
        let data = shelf.place(&format!("data-{number}"));
        let complaint = fails(pasar(&data, &["restore", text(&backup)]));
        assert!(complaint.contains(expected), "{what}: {complaint}");
        assert_eq!(databases(&data), [""; 0], "{what}");
        assert!(!data.join("keyring.json").exists(), "{what}");
        // Over a system that is there, and has keys already.
        if what != KEYS_FLIPPED {
            let there = databases(&folder.data());
            let replace = ["restore", text(&backup), "--replace"];
            fails(pasar(&folder.data(), &replace));
            assert_eq!(databases(&folder.data()), there, "{what}");
        }
    }
    let (looked, report) = check(&folder.data(), &["--patience", "0"]);
    assert!(looked.status.success(), "{report:#}");
    assert!(!folder.data().join("replaced-1").exists());
    // What is not asked for may be damaged.
    let backup = shelf.place("spoilt-0");
    succeeds(pasar(
        &shelf.place("some"),
        &["restore", text(&backup), "--only", "users"],
    ));
    assert_eq!(databases(&shelf.place("some")), ["users.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over_and_what_is_in_use_is_left_alone() {
    let system = System::start_in(Folder::of_shape(Shape::One, ""));
    let data = system.folder().data();
    let shelf = Shelf::new();
    let backup = shelf.backup(&data, "a");
    let complaint = fails(pasar(&data, &["backup", text(&backup)]));
    assert!(complaint.contains("is there already"), "{complaint}");
    let complaint = fails(pasar(
        &shelf.place("nothing"),
        &["backup", text(&shelf.place("b"))],
    ));
    assert!(complaint.contains("there are no databases"), "{complaint}");
    assert!(!shelf.place("b").exists() && !shelf.place("b.unfinished").exists());

    for args in [
        &["--replace"][..],
        &["--only", "orders"],
        &["--only", "orders", "--replace"],
    ] {
        let complaint = fails(pasar(&data, &[&["restore", text(&backup)], args].concat()));
        assert!(complaint.contains("in use by process"), "{complaint}");
    }
    let complaint = fails(pasar(&data, &["restore", "--mark"]));
    assert!(complaint.contains("in use by process"), "{complaint}");
    let folder = system.into_folder();
    let complaint = fails(pasar(&data, &["restore", text(&backup)]));
    assert!(complaint.contains("--replace"), "{complaint}");
    let said = succeeds(pasar(&data, &["restore", text(&backup), "--replace"]));
    assert!(said.contains("replaced-1"), "{said}");
    let aside = databases(&data.join("replaced-1"));
    let files = aside.iter().filter(|name| name.ends_with(".db"));
    assert_eq!(files.count(), 6, "{aside:?}");
    let started = System::start_in(folder);
    started.quiet().await;
}

fn crash(data: &Path, args: &[&str], point: CrashPoint, nth: usize) -> std::process::Output {
    let mut command = program();
    command.args(args).arg("--data").arg(data);
    command.env("PASAR_CRASH_POINT", format!("{}:{nth}", point.name()));
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_leaves_nothing_that_can_be_restored() {
    let folder = folder_with_orders().await;
    let shelf = Shelf::new();
    let (to, unfinished) = (shelf.place("a"), shelf.place("a.unfinished"));
    let mut kills = 0;
    loop {
        let args = ["backup", text(&to)];
        let output = crash(&folder.data(), &args, CrashPoint::BackupCopied, kills + 1);
        if output.status.success() {
            break;
        }
        kills += 1;
        assert!(
            output.status.code().is_none(),
            "it was not killed: {output:?}"
        );
        assert!(!to.exists());
        let complaint = fails(pasar(&shelf.place("data"), &["restore", text(&unfinished)]));
        assert!(complaint.contains("holds no whole backup"), "{complaint}");
        let complaint = fails(pasar(&folder.data(), &["backup", text(&to)]));
        assert!(
            complaint.contains("did not finish; remove it"),
            "{complaint}"
        );
        fs::remove_dir_all(&unfinished).unwrap();
    }
    assert_eq!(kills, 6, "once after each database");
    succeeds(pasar(&shelf.place("data"), &["restore", text(&to)]));
}

/// Into an empty folder and over a system that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_leaves_what_was_there_or_says_that_it_is_not_whole() {
    let folder = folder_with_orders().await;
    let shelf = Shelf::new();
    let backup = shelf.backup(&folder.data(), "a");
    for is_empty in [true, false] {
        let mut kills = 0;
        let mut halves = 0;
        loop {
            let data = shelf.place(&format!("data-{is_empty}-{kills}"));
            if !is_empty {
                succeeds(pasar(&data, &["restore", text(&backup)]));
            }
            let mut args = vec!["restore", text(&backup)];
            args.extend((!is_empty).then_some("--replace"));
            let output = crash(&data, &args, CrashPoint::RestoreStepped, kills + 1);
            if output.status.success() {
                break;
            }
            kills += 1;
            assert!(
                output.status.code().is_none(),
                "it was not killed: {output:?}"
            );
            let (looked, _) = check(&data, &["--patience", "0"]);
            let complaint = String::from_utf8(looked.stderr).unwrap();
            if complaint.contains("did not finish") {
                halves += 1;
                is_refused_until_it_is_restored_as_before(&data, &backup);
            } else if is_empty {
                assert_eq!(looked.status.code(), Some(2), "{complaint}");
            } else {
                // It was not begun: the system is there as it was.
                assert!(looked.status.success(), "{complaint}");
            }
            succeeds(pasar(&data, &args));
            assert!(check(&data, &["--patience", "0"]).0.status.success());
        }
        // One after each database is ready, one before the first moves, two for each that moves.
        assert_eq!((kills, halves), (6 + 1 + 12, 1 + 12));
    }
}

fn is_refused_until_it_is_restored_as_before(data: &Path, backup: &Path) {
    let elsewhere = data.with_extension("b");
    let commands: [&[&str]; 5] = [
        &["up", "--bind", "127.0.0.1:0"],
        &["migrate"],
        &["backup", text(&elsewhere)],
        &["restore", "--mark"],
        &["reconcile", "orders", "inventory", "--yes"],
    ];
    for args in commands {
        let complaint = fails(pasar(data, args));
        assert!(
            complaint.contains("did not finish"),
            "{args:?}: {complaint}"
        );
    }
    let complaint = fails(pasar(data, &["restore", text(backup), "--only", "users"]));
    assert!(
        complaint.contains("did not finish; restore ["),
        "{complaint}"
    );
}
