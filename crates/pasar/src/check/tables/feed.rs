//! The store's own tables, which every service has.

use pasar_contracts::event::Service;
use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::{id::EpochId, time::Timestamp};

/// An event whose version does not follow the one before it.
pub(in crate::check) struct Break {
    pub(in crate::check) sequence: i64,
    pub(in crate::check) key: String,
    pub(in crate::check) keyversion: i64,
}

pub(in crate::check) struct Position {
    pub(in crate::check) publisher: Service,
    pub(in crate::check) epoch: EpochId,
    pub(in crate::check) sequence: i64,
    /// Up to here a snapshot stands for what was followed; 0 for none.
    pub(in crate::check) snapshot: i64,
}

pub(in crate::check) struct Parked {
    pub(in crate::check) publisher: Service,
    pub(in crate::check) sequence: i64,
    pub(in crate::check) key: String,
    pub(in crate::check) fault: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Effect {
    pub(in crate::check) kind: String,
    pub(in crate::check) due: Timestamp,
    pub(in crate::check) attempts: i64,
    pub(in crate::check) last_error: Option<String>,
}

/// An event that moved stock.
pub(in crate::check) struct StockEvent {
    pub(in crate::check) sequence: i64,
    pub(in crate::check) event_type: String,
    pub(in crate::check) data: String,
}

pub(in crate::check) fn head(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT head FROM feed_head", &[], |row| row.get(0))
}

pub(in crate::check) fn epoch(tx: &Tx<'_>) -> Result<EpochId, Fault> {
    tx.query_one("SELECT epoch FROM store_meta", &[], |row| row.get(0))
}

/// Of the leases that nobody gave up.
pub(in crate::check) fn beats(tx: &Tx<'_>) -> Result<Vec<i64>, Fault> {
    tx.query_all(
        "SELECT lease_beat.beat FROM lease_beat JOIN lease ON lease.name = lease_beat.name
         WHERE lease.holder <> '' ORDER BY lease.name",
        &[],
        |row| row.get(0),
    )
}

/// 0 for an empty feed.
pub(in crate::check) fn last_sequence(tx: &Tx<'_>) -> Result<i64, Fault> {
    tx.query_one("SELECT COALESCE(MAX(sequence), 0) FROM feed", &[], |row| {
        row.get(0)
    })
}

pub(in crate::check) fn sequences(
    tx: &Tx<'_>,
    after: i64,
    upto: i64,
    limit: i64,
) -> Result<Vec<i64>, Fault> {
    tx.query_all(
        "SELECT sequence FROM feed WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3",
        &[&after, &upto, &limit],
        |row| row.get(0),
    )
}

/// Events of a stretch that are not their key's first and have no predecessor before them. Of what is left of a
/// trimmed feed each key may begin with any version.
pub(in crate::check) fn version_breaks(
    tx: &Tx<'_>,
    after: i64,
    upto: i64,
    trimmed: i64,
) -> Result<Vec<Break>, Fault> {
    tx.query_all(
        "SELECT e.sequence, e.key, e.keyversion FROM feed e
         WHERE e.sequence > ?1 AND e.sequence <= ?2 AND e.keyversion <> 1
           AND NOT EXISTS (SELECT 1 FROM feed p WHERE p.key = e.key
                           AND p.keyversion = e.keyversion - 1 AND p.sequence < e.sequence)
           AND (?3 = 0 OR EXISTS (SELECT 1 FROM feed q WHERE q.key = e.key
                                  AND q.keyversion < e.keyversion AND q.sequence > ?3))
         ORDER BY e.sequence LIMIT 100",
        &[&after, &upto, &trimmed],
        |row| {
            Ok(Break {
                sequence: row.get(0)?,
                key: row.get(1)?,
                keyversion: row.get(2)?,
            })
        },
    )
}

/// Version and place of a key's newest event.
pub(in crate::check) fn newest(tx: &Tx<'_>, key: &str) -> Result<Option<(i64, i64)>, Fault> {
    tx.query_opt(
        "SELECT keyversion, sequence FROM feed WHERE key = ?1 ORDER BY keyversion DESC LIMIT 1",
        &[&key],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub(in crate::check) fn positions(tx: &Tx<'_>) -> Result<Vec<Position>, Fault> {
    tx.query_all(
        "SELECT publisher, epoch, sequence, snapshot FROM follower_position ORDER BY publisher, lane",
        &[],
        |row| {
            Ok(Position {
                publisher: row.get(0)?,
                epoch: row.get(1)?,
                sequence: row.get(2)?,
                snapshot: row.get(3)?,
            })
        },
    )
}

/// How far the slowest lane has followed a publisher. 0 if it has not begun.
pub(in crate::check) fn position(tx: &Tx<'_>, publisher: Service) -> Result<i64, Fault> {
    tx.query_one(
        "SELECT COALESCE(MIN(sequence), 0) FROM follower_position WHERE publisher = ?1",
        &[&publisher],
        |row| row.get(0),
    )
}

pub(in crate::check) fn parked(tx: &Tx<'_>, limit: i64) -> Result<Vec<Parked>, Fault> {
    tx.query_all(
        "SELECT publisher, sequence, key, fault FROM parked ORDER BY publisher, sequence LIMIT ?1",
        &[&limit],
        |row| {
            Ok(Parked {
                publisher: row.get(0)?,
                sequence: row.get(1)?,
                key: row.get(2)?,
                fault: row.get(3)?,
            })
        },
    )
}

/// What waits or runs in one queue of effects.
pub(in crate::check) fn effects(tx: &Tx<'_>, queue: &str) -> Result<Vec<Effect>, Fault> {
    tx.query_all(
        "SELECT kind, due, attempts, last_error FROM effect WHERE queue = ?1 ORDER BY id LIMIT 20",
        &[&queue],
        |row| {
            Ok(Effect {
                kind: row.get(0)?,
                due: row.get(1)?,
                attempts: row.get(2)?,
                last_error: row.get(3)?,
            })
        },
    )
}

/// When the next timer of a kind and key is due.
pub(in crate::check) fn next_timer(
    tx: &Tx<'_>,
    kind: &str,
    key: &str,
) -> Result<Option<Timestamp>, Fault> {
    tx.query_opt(
        "SELECT due FROM timer WHERE kind = ?1 AND key = ?2 ORDER BY due LIMIT 1",
        &[&kind, &key],
        |row| row.get(0),
    )
}

pub(in crate::check) fn has_timer(
    tx: &Tx<'_>,
    due: Timestamp,
    kind: &str,
    key: &str,
) -> Result<bool, Fault> {
    tx.query_opt(
        "SELECT 1 FROM timer WHERE due = ?1 AND kind = ?2 AND key = ?3",
        &[&due, &kind, &key],
        |row| row.get::<i64>(0),
    )
    .map(|row| row.is_some())
}

/// Events of inventory up to a place that moved stock, oldest first.
pub(in crate::check) fn stock_events(
    tx: &Tx<'_>,
    after: i64,
    upto: i64,
    limit: i64,
) -> Result<Vec<StockEvent>, Fault> {
    tx.query_all(
        "SELECT sequence, type, data FROM feed WHERE sequence > ?1 AND sequence <= ?2
           AND type IN ('stock.received.v1', 'stock.adjusted.v1', 'stock.sold.v1',
                        'stock.released.v1', 'stock.returned.v1')
         ORDER BY sequence LIMIT ?3",
        &[&after, &upto, &limit],
        |row| {
            Ok(StockEvent {
                sequence: row.get(0)?,
                event_type: row.get(1)?,
                data: row.get(2)?,
            })
        },
    )
}
