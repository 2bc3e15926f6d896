//! What must hold in every committed state.

use std::collections::BTreeMap;

use pasar_store::store::Store;
use pasar_types::id::LocationId;
use serde_json::Value;

/// The ledger's sum is on hand, what is held is reserved, the
/// versions of every key are 1..n.
pub(crate) fn assert_consistent(store: &Store) {
    let rows = store
        .read_now(|tx| {
            tx.query_all(
                "SELECT s.location, s.sku, s.on_hand, s.reserved, s.moved,
                        (SELECT COALESCE(SUM(change), 0) FROM movement m
                         WHERE m.location = s.location AND m.sku = s.sku),
                        (SELECT COUNT(*) FROM movement m
                         WHERE m.location = s.location AND m.sku = s.sku)
                 FROM stock s",
                &[],
                |row| {
                    let place: (LocationId, String) = (row.get(0)?, row.get(1)?);
                    let level: [i64; 2] = [row.get(2)?, row.get(3)?];
                    Ok((
                        place,
                        level,
                        row.get::<i64>(4)?,
                        [row.get::<i64>(5)?, row.get(6)?],
                    ))
                },
            )
        })
        .unwrap();
    let mut held = held_units(store);
    for (place, [on_hand, reserved], moved, [sum, count]) in rows {
        assert!(
            0 <= reserved && reserved <= on_hand,
            "{place:?}: {reserved} of {on_hand}"
        );
        assert_eq!(on_hand, sum, "{place:?}: the ledger's sum");
        assert_eq!(moved, count, "{place:?}: the ledger's numbers");
        assert_eq!(
            reserved,
            held.remove(&place).unwrap_or(0),
            "{place:?}: what is held"
        );
    }
    assert_eq!(held, BTreeMap::new(), "held without stock");
    let mut versions: BTreeMap<String, i64> = BTreeMap::new();
    for event in store.events_after(0, 1_000_000).unwrap() {
        let version = versions.entry(event.key.clone()).or_default();
        *version += 1;
        assert_eq!(event.keyversion, *version, "{event:?}");
    }
}

fn held_units(store: &Store) -> BTreeMap<(LocationId, String), i64> {
    let held = store
        .read_now(|tx| {
            tx.query_all(
                "SELECT location, lines FROM reservation WHERE state = 'held'",
                &[],
                |row| Ok((row.get::<LocationId>(0)?, row.json::<Vec<Value>>(1)?)),
            )
        })
        .unwrap();
    let mut units = BTreeMap::new();
    for (location, lines) in held {
        for line in lines {
            let sku = line["sku"].as_str().unwrap().to_owned();
            *units.entry((location, sku)).or_default() += line["quantity"].as_i64().unwrap();
        }
    }
    units
}
