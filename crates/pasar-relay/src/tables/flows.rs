//! Reads of a flow: its messages, and for each what was tried, waits or was given up. Each is bounded.

use pasar_contracts::api::relay::{SubscriptionInput, SubscriptionState};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::{
    id::{FlowId, SubscriptionId},
    time::Timestamp,
};

use super::shares;

/// A message, with its data only where that is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowRow {
    pub(crate) position: i64,
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) message_type: String,
    pub(crate) key: Option<String>,
    pub(crate) time: Timestamp,
    pub(crate) accepted_at: Timestamp,
    pub(crate) causation: Option<String>,
    pub(crate) actor: String,
    /// It is a service's event.
    pub(crate) is_event: bool,
    pub(crate) is_json: bool,
    pub(crate) data_bytes: i64,
    pub(crate) data: Option<Vec<u8>>,
}

/// An event of a flow without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventRow {
    pub(crate) topic: String,
    pub(crate) event_type: String,
    pub(crate) key: String,
    pub(crate) keyversion: i64,
    pub(crate) time: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptRow {
    pub(crate) subscription: SubscriptionId,
    pub(crate) attempt: i64,
    pub(crate) at: Timestamp,
    pub(crate) took_us: i64,
    pub(crate) delivered: bool,
    pub(crate) status: Option<i64>,
    pub(crate) detail: Option<String>,
    pub(crate) next_at: Option<Timestamp>,
}

/// A delivery that waits (`retry`) or was given up (`dead_letter`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitingRow {
    pub(crate) subscription: SubscriptionId,
    pub(crate) key: Option<String>,
    pub(crate) attempts: i64,
    /// Absent once it was given up.
    pub(crate) due: Option<Timestamp>,
    pub(crate) held: bool,
    pub(crate) last_error: Option<String>,
}

/// A subscription as far as a flow needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubscriptionRow {
    pub(crate) id: SubscriptionId,
    pub(crate) owner: String,
    pub(crate) state: SubscriptionState,
    pub(crate) spec: SubscriptionInput,
    /// Everything up to here was delivered, waits, or was given up.
    pub(crate) position: i64,
}

/// The flow of the newest message with an id, whatever its topic.
pub(crate) fn of_message(tx: &Tx<'_>, id: &str) -> Result<Option<FlowId>, Fault> {
    tx.query_opt(
        "SELECT flow FROM message WHERE id = ?1 ORDER BY position DESC LIMIT 1",
        &[&id],
        |row| row.get(0),
    )
}

/// The flow that an aggregate began in.
pub(crate) fn of_key(tx: &Tx<'_>, key: &str) -> Result<Option<FlowId>, Fault> {
    tx.query_opt(
        "SELECT flow FROM message WHERE key = ?1 AND keyversion = 1 ORDER BY position LIMIT 1",
        &[&key],
        |row| row.get(0),
    )
}

/// Messages of a flow after a position, oldest first; data of at most so many bytes.
pub(crate) fn messages(
    tx: &Tx<'_>,
    flow: FlowId,
    after: i64,
    limit: usize,
    data_bytes: usize,
) -> Result<Vec<FlowRow>, Fault> {
    tx.query_all(
        "SELECT position, topic, id, type, key, time, accepted_at, causation, actor,
                CASE WHEN keyversion IS NULL THEN 0 ELSE 1 END,
                CASE WHEN content_type IS NULL THEN 1 ELSE 0 END,
                LENGTH(data), CASE WHEN LENGTH(data) <= ?4 THEN data END
         FROM message WHERE flow = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
        &[&flow, &after, &bound(limit), &bound(data_bytes)],
        |row| {
            Ok(FlowRow {
                position: row.get(0)?,
                topic: row.get(1)?,
                id: row.get(2)?,
                message_type: row.get(3)?,
                key: row.get(4)?,
                time: row.get(5)?,
                accepted_at: row.get(6)?,
                causation: row.get(7)?,
                actor: row.get(8)?,
                is_event: row.get::<i64>(9)? == 1,
                is_json: row.get::<i64>(10)? == 1,
                data_bytes: row.get(11)?,
                data: row.get(12)?,
            })
        },
    )
}

/// The newest events of services in a flow, oldest first.
pub(crate) fn events(tx: &Tx<'_>, flow: FlowId, limit: usize) -> Result<Vec<EventRow>, Fault> {
    let mut events = tx.query_all(
        "SELECT topic, type, key, keyversion, time FROM message
         WHERE flow = ?1 AND keyversion IS NOT NULL AND key IS NOT NULL
         ORDER BY position DESC LIMIT ?2",
        &[&flow, &bound(limit)],
        |row| {
            Ok(EventRow {
                topic: row.get(0)?,
                event_type: row.get(1)?,
                key: row.get(2)?,
                keyversion: row.get(3)?,
                time: row.get(4)?,
            })
        },
    )?;
    events.reverse();
    Ok(events)
}

/// The newest attempts of a message, oldest first.
pub(crate) fn attempts(tx: &Tx<'_>, position: i64, limit: usize) -> Result<Vec<AttemptRow>, Fault> {
    let mut attempts = tx.query_all(
        "SELECT subscription, attempt, at, took_us, delivered, status, detail, next_at
         FROM attempt WHERE position = ?1 ORDER BY number DESC LIMIT ?2",
        &[&position, &bound(limit)],
        |row| {
            Ok(AttemptRow {
                subscription: row.get(0)?,
                attempt: row.get(1)?,
                at: row.get(2)?,
                took_us: row.get(3)?,
                delivered: row.get::<i64>(4)? != 0,
                status: row.get(5)?,
                detail: row.get(6)?,
                next_at: row.get(7)?,
            })
        },
    )?;
    attempts.reverse();
    Ok(attempts)
}

/// Deliveries of a message that wait.
pub(crate) fn retries(tx: &Tx<'_>, position: i64, limit: usize) -> Result<Vec<WaitingRow>, Fault> {
    tx.query_all(
        "SELECT subscription, key, attempts, due, held, last_error
         FROM retry WHERE position = ?1 ORDER BY subscription LIMIT ?2",
        &[&position, &bound(limit)],
        |row| {
            Ok(WaitingRow {
                subscription: row.get(0)?,
                key: row.get(1)?,
                attempts: row.get(2)?,
                due: row.get(3)?,
                held: row.get::<i64>(4)? != 0,
                last_error: row.get(5)?,
            })
        },
    )
}

/// Deliveries of a message that were given up.
pub(crate) fn dead_letters(
    tx: &Tx<'_>,
    position: i64,
    limit: usize,
) -> Result<Vec<WaitingRow>, Fault> {
    tx.query_all(
        "SELECT subscription, attempts, last_error
         FROM dead_letter WHERE position = ?1 ORDER BY subscription LIMIT ?2",
        &[&position, &bound(limit)],
        |row| {
            Ok(WaitingRow {
                subscription: row.get(0)?,
                key: None,
                attempts: row.get(1)?,
                due: None,
                held: false,
                last_error: row.get(2)?,
            })
        },
    )
}

/// The message whose delivery a held one waits for: the first of its key that waits itself.
pub(crate) fn held_by(
    tx: &Tx<'_>,
    subscription: SubscriptionId,
    key: &str,
    position: i64,
) -> Result<Option<i64>, Fault> {
    tx.query_opt(
        "SELECT position FROM retry WHERE subscription = ?1 AND key = ?2 AND position < ?3
         ORDER BY position LIMIT 1",
        &[&subscription, &key, &position],
        |row| row.get(0),
    )
}

/// The message that a subscription tries again first, before a position.
pub(crate) fn first_retry(
    tx: &Tx<'_>,
    subscription: SubscriptionId,
    before: i64,
) -> Result<Option<i64>, Fault> {
    tx.query_opt(
        "SELECT position FROM retry WHERE subscription = ?1 AND position < ?2
         ORDER BY position LIMIT 1",
        &[&subscription, &before],
        |row| row.get(0),
    )
}

/// Subscriptions that have not come past a position, those furthest behind first. The watermark of its share counts
/// for each that is attached.
pub(crate) fn behind(
    tx: &Tx<'_>,
    position: i64,
    limit: usize,
) -> Result<Vec<SubscriptionRow>, Fault> {
    let first = shares::watermark(tx, 0)?;
    tx.query_all(
        "SELECT s.id, s.owner, s.state, s.spec, p.position, p.attached,
                COALESCE(h.watermark, ?3)
         FROM progress p JOIN subscription s ON s.id = p.subscription
         LEFT JOIN share h ON h.number = p.share
         WHERE p.position < ?1 AND (p.attached = 0 OR COALESCE(h.watermark, ?3) < ?1)
         ORDER BY p.position LIMIT ?2",
        &[&position, &bound(limit), &first],
        |row| {
            let own: i64 = row.get(4)?;
            let attached = row.get::<i64>(5)? != 0;
            let position = if attached { own.max(row.get(6)?) } else { own };
            subscription(row, position)
        },
    )
}

pub(crate) fn one_subscription(
    tx: &Tx<'_>,
    id: SubscriptionId,
) -> Result<Option<SubscriptionRow>, Fault> {
    tx.query_opt(
        "SELECT s.id, s.owner, s.state, s.spec FROM subscription s WHERE s.id = ?1",
        &[&id],
        |row| subscription(row, 0),
    )
}

fn subscription(row: &Row<'_>, position: i64) -> Result<SubscriptionRow, Fault> {
    let state = match row.get::<String>(2)?.as_str() {
        "active" => SubscriptionState::Active,
        "paused" => SubscriptionState::Paused,
        _ => SubscriptionState::Disabled,
    };
    Ok(SubscriptionRow {
        id: row.get(0)?,
        owner: row.get(1)?,
        state,
        spec: row.json(3)?,
        position,
    })
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
