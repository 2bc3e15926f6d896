//! Which messages of a flow are not delivered yet, and why: they wait to be tried again, behind another, for
//! a subscription that is paused, or are on their way.

use pasar_contracts::api::{
    flows::{DeliveryState, WaitingDelivery},
    relay::{Ordering, SubscriptionState},
};
use pasar_store::{fault::Fault, tx::Tx};

use super::{Subscriptions, Viewer};
use crate::{
    filter::{Filter, ParsedData},
    subscription,
    tables::{
        flows::{self, AttemptRow, FlowRow, SubscriptionRow, WaitingRow},
        messages,
    },
};

/// Deliveries of one message that are listed in one state.
const MOST_OF_A_MESSAGE: usize = 100;
/// Subscriptions that are looked at for what is on its way.
const MOST_SUBSCRIPTIONS: usize = 200;

/// `attempts` are those of each message.
pub(super) fn undelivered(
    tx: &Tx<'_>,
    messages: &[FlowRow],
    attempts: &[Vec<AttemptRow>],
    viewer: &Viewer<'_>,
    subscriptions: &mut Subscriptions,
) -> Result<Vec<WaitingDelivery>, Fault> {
    let Some(newest) = messages.last() else {
        return Ok(Vec::new());
    };
    let behind = Behind::read(tx, newest.position)?;
    let mut waiting = Vec::new();
    for (message, attempts) in messages.iter().zip(attempts) {
        let mut rows = flows::retries(tx, message.position, MOST_OF_A_MESSAGE)?;
        rows.extend(flows::dead_letters(
            tx,
            message.position,
            MOST_OF_A_MESSAGE,
        )?);
        for row in &rows {
            let of = subscriptions.get(tx, row.subscription)?;
            if viewer.sees_deliveries_of(of, message) {
                waiting.push(waits(tx, message, row, of, viewer.owns(of))?);
            }
        }
        for of in behind.not_tried(tx, message, attempts, &rows)? {
            if viewer.sees_deliveries_of(Some(of), message) {
                waiting.push(on_its_way(tx, message, of)?);
            }
        }
    }
    Ok(waiting)
}

/// Subscriptions that have not come past the newest message that is shown.
struct Behind(Vec<(SubscriptionRow, Filter)>);

impl Behind {
    fn read(tx: &Tx<'_>, newest: i64) -> Result<Self, Fault> {
        let rows = flows::behind(tx, newest, MOST_SUBSCRIPTIONS)?;
        let with_filter = rows.into_iter().filter_map(|row| {
            let filter = subscription::filter_of(&row.spec)?;
            Some((row, filter))
        });
        Ok(Self(with_filter.collect()))
    }

    /// Those that take the message and have neither delivered it nor met a failure.
    fn not_tried(
        &self,
        tx: &Tx<'_>,
        shown: &FlowRow,
        attempts: &[AttemptRow],
        rows: &[WaitingRow],
    ) -> Result<Vec<&SubscriptionRow>, Fault> {
        let is_known = |of: &SubscriptionRow| {
            rows.iter().any(|row| row.subscription == of.id)
                || attempts
                    .iter()
                    .any(|attempt| attempt.subscription == of.id && attempt.delivered)
        };
        let candidates: Vec<_> = self
            .0
            .iter()
            .filter(|(of, _)| of.position < shown.position && !is_known(of))
            .collect();
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        // Filters look at all of the data, also where it is too long to be shown.
        let Some(message) = messages::at(tx, shown.position)? else {
            return Ok(Vec::new());
        };
        let mut data = ParsedData::default();
        Ok(candidates
            .into_iter()
            .filter(|(_, filter)| filter.matches(&message, &mut data))
            .map(|(of, _)| of)
            .collect())
    }
}

fn waits(
    tx: &Tx<'_>,
    message: &FlowRow,
    row: &WaitingRow,
    of: Option<&SubscriptionRow>,
    details: bool,
) -> Result<WaitingDelivery, Fault> {
    let stopped = of.and_then(stopped);
    let state = match (row.due, stopped) {
        (None, _) => DeliveryState::DeadLetter,
        (Some(_), Some(stopped)) => stopped,
        (Some(_), None) if row.held => DeliveryState::Held,
        (Some(_), None) => DeliveryState::Retrying,
    };
    let behind = match &row.key {
        Some(key) if row.held => flows::held_by(tx, row.subscription, key, message.position)?,
        _ => None,
    };
    Ok(WaitingDelivery {
        subscription_id: row.subscription,
        subscription: of.and_then(|of| of.spec.name.clone()),
        position: message.position,
        message_id: message.id.clone(),
        state,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        due: row.due.filter(|_| state == DeliveryState::Retrying),
        behind,
        last_error: row.last_error.clone().filter(|_| details),
    })
}

fn on_its_way(
    tx: &Tx<'_>,
    message: &FlowRow,
    of: &SubscriptionRow,
) -> Result<WaitingDelivery, Fault> {
    // In strict order the one that is tried again holds up all after it.
    let behind = match of.spec.ordering {
        Ordering::Strict => flows::first_retry(tx, of.id, message.position)?,
        Ordering::Key | Ordering::None => None,
    };
    let state = stopped(of).unwrap_or(match behind {
        Some(_) => DeliveryState::Held,
        None => DeliveryState::InFlight,
    });
    Ok(WaitingDelivery {
        subscription_id: of.id,
        subscription: of.spec.name.clone(),
        position: message.position,
        message_id: message.id.clone(),
        state,
        attempts: 0,
        due: None,
        behind,
        last_error: None,
    })
}

fn stopped(of: &SubscriptionRow) -> Option<DeliveryState> {
    match of.state {
        SubscriptionState::Active => None,
        SubscriptionState::Paused => Some(DeliveryState::Paused),
        SubscriptionState::Disabled => Some(DeliveryState::Disabled),
    }
}
