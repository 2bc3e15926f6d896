//! Of feeds that are trimmed, and of the snapshots that stand for what is gone.

use super::Bug;

pub(super) const BUGS: [Bug; 5] = [
    Bug {
        name: "trimmed-past-a-follower",
        what: "a feed is trimmed whether or not a follower in the same process has taken it",
        file: "crates/pasar-store/src/trimming.rs",
        changes: &[(
            "held_at = held_at.min(reached.await?.unwrap_or(i64::MAX));",
            "held_at = held_at.max(reached.await?.unwrap_or(i64::MAX));",
        )],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "feeds::trimmed::a_feed_that_a_follower",
    },
    Bug {
        name: "snapshot-of-no-moment",
        what: "each part of a snapshot leaves out what has ended by the time it is read",
        file: "crates/pasar-store/src/snapshot.rs",
        changes: &[(
            "let history = history(tx, needed, &event.key, at)?;",
            "let history = history(tx, needed, &event.key, i64::MAX)?;",
        )],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "feeds::trimmed::",
    },
    Bug {
        name: "snapshot-followed-from-its-end",
        what: "a new follower goes on after the newest event instead of after its snapshot's place",
        file: "crates/pasar-store/src/snapshot.rs",
        changes: &[(
            "_ => at,",
            "_ => tx.query_one(\"SELECT head FROM feed_head\", &[], |row| row.get(0))?,",
        )],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "feeds::trimmed::",
    },
    Bug {
        name: "snapshot-of-another-place-at-each-start",
        what: "a follower that is ended in the middle of a snapshot goes on with one as of a later place",
        file: "crates/pasar-store/src/follower.rs",
        changes: &[(
            "if let (Some(snapshot), None) = (snapshot, begun) {",
            "if let (Some(snapshot), _) = (snapshot, begun) {",
        )],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "feeds::trimmed::a_follower_that_ends",
    },
    Bug {
        name: "gap-for-who-was-away",
        what: "what is gone is passed over as if it had never been",
        file: "crates/pasar-store/src/store.rs",
        changes: &[
            (
                "        if after < known {\n",
                "        if after < known && known < 0 {\n",
            ),
            (
                "            if after < trimmed {\n",
                "            if after < trimmed && trimmed < 0 {\n",
            ),
        ],
        package: "pasar-chassis",
        on_postgres: false,
        caught_by: "feeds::trimmed::",
    },
];
