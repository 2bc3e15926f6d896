//! A golden file per event type and version, `golden/{type}.json`. A type that has one writes exactly
//! it and reads it back; a change that is not additive is a new version beside the old one.

use std::{collections::BTreeSet, fs, path::PathBuf};

use pasar_contracts::events::{inventory, orders, payments, relay, users};

use crate::samples::{Sample, all};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

#[test]
fn every_event_writes_and_reads_its_golden_file() {
    let create = std::env::var_os("PASAR_NEW_GOLDEN").is_some();
    for Sample {
        event_type,
        text,
        read_back,
    } in all()
    {
        let path = folder().join(format!("{event_type}.json"));
        if create && !path.exists() {
            fs::write(&path, format!("{text}\n")).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_else(|_| {
            panic!("{event_type} has no golden file; PASAR_NEW_GOLDEN=1 writes missing ones")
        });
        assert_eq!(
            text,
            golden.trim_end(),
            "{event_type} is written differently than it was"
        );
        assert!(
            read_back(golden.trim_end()),
            "{event_type} does not read its golden file back"
        );
    }
}

#[test]
fn every_event_type_has_a_sample_and_no_golden_file_is_left_over() {
    let declared: BTreeSet<String> = [
        users::TYPES,
        inventory::TYPES,
        orders::TYPES,
        payments::TYPES,
        relay::TYPES,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let sampled: BTreeSet<String> = all()
        .iter()
        .map(|sample| sample.event_type.to_owned())
        .collect();
    assert_eq!(sampled, declared);
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".json").to_owned())
        .collect();
    assert_eq!(
        files, declared,
        "an event that was published once is never taken away"
    );
}

#[test]
fn a_reader_does_not_mind_what_a_newer_writer_added() {
    for Sample {
        event_type,
        text,
        read_back,
    } in all()
    {
        let added = text
            .replacen('{', "{\"added_later\":{\"deep\":[1,2]},", 1)
            .replace(",}", "}");
        assert!(read_back(&added), "{event_type} refuses an added field");
    }
}
