//! What the API reads about subscriptions, attempts and dead letters. Pages are bounded by their caller.

use pasar_contracts::api::relay::{Attempt, DeadLetter, Subscription};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
};
use pasar_types::id::SubscriptionId;

use crate::{
    subscription::Stored,
    tables::{dead_letters, messages, progress, retries, shares, subscriptions},
};

/// A subscription as clients see it, with what only the API needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub subscription: Subscription,
    /// What `ETag` names.
    pub version: i64,
    /// The name under which the configuration declares it.
    pub declared: Option<String>,
}

pub fn subscription(tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<Known>, Fault> {
    subscriptions::find(tx, id)?
        .map(|stored| known(tx, stored))
        .transpose()
}

/// Those with greater ids, of one owner or of all.
pub fn subscriptions_after(
    tx: &Tx<'_>,
    owner: Option<&str>,
    after: SubscriptionId,
    limit: usize,
) -> Result<Vec<Known>, Fault> {
    subscriptions::after(tx, owner, after, limit)?
        .into_iter()
        .map(|stored| known(tx, stored))
        .collect()
}

/// The subscription as clients see it, from what a command answered.
pub fn known(tx: &Tx<'_>, stored: Stored) -> Result<Known, Fault> {
    let place = progress::find(tx, stored.id)?
        .ok_or_else(|| Fault::Corrupt(format!("{} has no progress", stored.id)))?;
    let position = place.true_position(shares::watermark(tx, place.share)?);
    Ok(Known {
        subscription: Subscription {
            id: stored.id,
            state: stored.state,
            disabled_because: stored.disabled_because,
            owner: stored.owner,
            secrets: stored.secret_places,
            position,
            behind: (messages::ends(tx)?.head - position).max(0),
            retrying: retries::count(tx, stored.id)?,
            dead_letters: dead_letters::count(tx, stored.id)?,
            failing_since: place.failing_since,
            created_at: stored.created_at,
            input: stored.input,
        },
        version: stored.version,
        declared: stored.declared,
    })
}

/// What was tried for a subscription, the newest first, with the number that names its place in the pages.
/// A message that is no longer kept has an empty id; a test message has the id `test`.
pub fn attempts(
    tx: &Tx<'_>,
    id: SubscriptionId,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, Attempt)>, Fault> {
    tx.query_all(
        "SELECT attempt.number, attempt.subscription, attempt.position, attempt.attempt, attempt.at,
                attempt.took_us, attempt.delivered, attempt.status, attempt.detail, attempt.next_at, message.id
         FROM attempt LEFT JOIN message ON message.position = attempt.position
         WHERE attempt.subscription = ?1 AND attempt.number < ?2
         ORDER BY attempt.number DESC LIMIT ?3",
        &[
            &id,
            &before.unwrap_or(i64::MAX),
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| Ok((row.get(0)?, attempt(row)?)),
    )
}

fn attempt(row: &Row<'_>) -> Result<Attempt, Fault> {
    let position: i64 = row.get(2)?;
    let took_us: u32 = row.get(5)?;
    let message_id: Option<String> = row.get(10)?;
    Ok(Attempt {
        subscription_id: row.get(1)?,
        position,
        message_id: match message_id {
            Some(id) => id,
            None if position == 0 => TEST_MESSAGE.to_owned(),
            None => String::new(),
        },
        attempt: row.get(3)?,
        at: row.get(4)?,
        took_ms: f64::from(took_us) / 1_000.0,
        delivered: row.get(6)?,
        status: row.get(7)?,
        detail: row.get(8)?,
        next_at: row.get(9)?,
    })
}

/// What a test message is called among the attempts.
pub const TEST_MESSAGE: &str = "test";

/// Dead letters after a place, by subscription and position; of one subscription, of one owner, or all.
pub fn dead_letters_after(
    tx: &Tx<'_>,
    subscription: Option<SubscriptionId>,
    owner: Option<&str>,
    after: (SubscriptionId, i64),
    limit: usize,
) -> Result<Vec<DeadLetter>, Fault> {
    tx.query_all(
        "SELECT dead_letter.subscription, dead_letter.position, message.topic, message.id, message.type,
                message.key, dead_letter.attempts, dead_letter.last_error, dead_letter.since
         FROM dead_letter
         JOIN message ON message.position = dead_letter.position
         JOIN subscription ON subscription.id = dead_letter.subscription
         WHERE (dead_letter.subscription, dead_letter.position) > (?1, ?2)
           AND (dead_letter.subscription = ?3 OR ?3 IS NULL)
           AND (subscription.owner = ?4 OR ?4 IS NULL)
         ORDER BY dead_letter.subscription, dead_letter.position LIMIT ?5",
        &[
            &after.0,
            &after.1,
            &subscription,
            &owner,
            &i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        |row| {
            Ok(DeadLetter {
                subscription_id: row.get(0)?,
                position: row.get(1)?,
                topic: row.get(2)?,
                message_id: row.get(3)?,
                message_type: row.get(4)?,
                key: row.get(5)?,
                attempts: row.get(6)?,
                last_error: row.get(7)?,
                since: row.get(8)?,
            })
        },
    )
}

/// All subscriptions that the configuration declared.
pub fn declared(tx: &Tx<'_>, limit: usize) -> Result<Vec<Stored>, Fault> {
    subscriptions::declared(tx, limit)
}
