//! Flows: everything with one correlation id, put together from the log and from what became of deliveries.

mod awaited;
mod causal_order;
mod undelivered;
mod viewer;

use std::collections::{BTreeMap, btree_map::Entry};

use pasar_contracts::api::{
    flows::{FlowDelivery, FlowMessage, FlowStep, MAX_FLOW_ATTEMPTS, MAX_FLOW_DATA_BYTES, Waiting},
    relay::Attempt,
};
use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::id::{FlowId, OrderId, PaymentId, RequestId, ReservationId, SubscriptionId};

use self::causal_order::{Place, causal_order};
pub(crate) use self::viewer::Viewer;
use crate::tables::flows::{self, AttemptRow, FlowRow, SubscriptionRow};

/// A stretch of a flow as one viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) steps: Vec<FlowStep>,
    pub(crate) waiting_for: Vec<Waiting>,
    /// Where the next stretch begins, if there is one.
    pub(crate) next_after: Option<i64>,
}

/// Events that are looked through for what an order waits for: far more than an order has.
const MOST_EVENTS: usize = 1_000;

/// The flow that an id belongs to: a flow's own, an order's, a payment's, a request's, a message's, or the
/// key of any other aggregate.
pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<FlowId>, Fault> {
    if let Ok(flow) = id.parse::<FlowId>() {
        return Ok(Some(flow));
    }
    if let Ok(request) = id.parse::<RequestId>() {
        return Ok(Some(FlowId::from_uuid(request.uuid())));
    }
    // A payment and a reservation bear the UUID of their order.
    let uuid = id
        .parse::<PaymentId>()
        .map(|id| id.uuid())
        .or_else(|_| id.parse::<ReservationId>().map(|id| id.uuid()));
    if let Ok(uuid) = uuid {
        return flows::of_key(tx, &OrderId::from_uuid(uuid).to_string());
    }
    match flows::of_message(tx, id)? {
        Some(flow) => Ok(Some(flow)),
        None => flows::of_key(tx, id),
    }
}

/// The messages of a flow after a position, with their deliveries. Nothing if nobody but others may see any.
pub(crate) fn read(
    tx: &Tx<'_>,
    flow: FlowId,
    after: i64,
    limit: usize,
    viewer: &Viewer<'_>,
) -> Result<Option<Stretch>, Fault> {
    let mut rows = flows::messages(tx, flow, after, limit + 1, MAX_FLOW_DATA_BYTES)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_after = rows.last().filter(|_| more).map(|last| last.position);
    rows.retain(|row| viewer.sees(row));
    if rows.is_empty() && next_after.is_none() {
        return Ok(None);
    }
    let mut waiting_for = Vec::new();
    if next_after.is_none() && rows.iter().any(|row| row.topic == "orders") {
        let events = flows::events(tx, flow, MOST_EVENTS)?;
        waiting_for.extend(awaited::awaited(&events).into_iter().map(Waiting::Event));
    }
    let attempts = rows
        .iter()
        .map(|row| flows::attempts(tx, row.position, MAX_FLOW_ATTEMPTS))
        .collect::<Result<Vec<_>, Fault>>()?;
    let mut subscriptions = Subscriptions::default();
    let waiting = undelivered::undelivered(tx, &rows, &attempts, viewer, &mut subscriptions)?;
    waiting_for.extend(waiting.into_iter().map(Waiting::Delivery));
    let mut steps = Vec::with_capacity(rows.len());
    for (row, attempts) in rows.into_iter().zip(attempts) {
        for attempt in &attempts {
            let of = subscriptions.get(tx, attempt.subscription)?;
            if viewer.sees_deliveries_of(of, &row) {
                let details = viewer.owns(of);
                steps.push(FlowStep::Delivery(delivery(attempt, &row, of, details)));
            }
        }
        steps.push(FlowStep::Message(message(row)));
    }
    Ok(Some(Stretch {
        steps: in_causal_order(steps),
        waiting_for,
        next_after,
    }))
}

/// Subscriptions that were read already.
#[derive(Default)]
struct Subscriptions(BTreeMap<SubscriptionId, Option<SubscriptionRow>>);

impl Subscriptions {
    fn get(&mut self, tx: &Tx<'_>, id: SubscriptionId) -> Result<Option<&SubscriptionRow>, Fault> {
        let row = match self.0.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(flows::one_subscription(tx, id)?),
        };
        Ok(row.as_ref())
    }
}

fn message(row: FlowRow) -> FlowMessage {
    FlowMessage {
        position: row.position,
        // A client may say any time.
        at: if row.is_event {
            row.time
        } else {
            row.accepted_at
        },
        topic: row.topic,
        id: row.id,
        message_type: row.message_type,
        key: row.key,
        actor: row.actor,
        cause: row.causation,
        data_bytes: u64::try_from(row.data_bytes).unwrap_or_default(),
        data: row
            .data
            .filter(|_| row.is_json)
            .and_then(|data| serde_json::from_slice(&data).ok()),
    }
}

fn delivery(
    attempt: &AttemptRow,
    row: &FlowRow,
    subscription: Option<&SubscriptionRow>,
    details: bool,
) -> FlowDelivery {
    FlowDelivery {
        subscription: subscription.and_then(|subscription| subscription.spec.name.clone()),
        destination: subscription.and_then(SubscriptionRow::kind),
        attempt: Attempt {
            subscription_id: attempt.subscription,
            position: row.position,
            message_id: row.id.clone(),
            attempt: u32::try_from(attempt.attempt).unwrap_or(u32::MAX),
            at: attempt.at,
            took_ms: f64::from(i32::try_from(attempt.took_us).unwrap_or(i32::MAX)) / 1_000.0,
            delivered: attempt.delivered,
            status: attempt.status.and_then(|status| u16::try_from(status).ok()),
            detail: attempt.detail.clone().filter(|_| details),
            next_at: attempt.next_at,
        },
    }
}

impl SubscriptionRow {
    fn kind(&self) -> Option<String> {
        let kind = self.spec.destination.get("kind")?;
        kind.as_str().map(str::to_owned)
    }
}

fn in_causal_order(steps: Vec<FlowStep>) -> Vec<FlowStep> {
    let places: Vec<Place<'_>> = steps.iter().map(place).collect();
    let order = causal_order(&places);
    let mut steps: Vec<Option<FlowStep>> = steps.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|index| steps[index].take())
        .collect()
}

fn place(step: &FlowStep) -> Place<'_> {
    match step {
        FlowStep::Message(message) => Place {
            id: Some(&message.id),
            cause: message.cause.as_deref(),
            at: message.at,
            position: message.position,
        },
        FlowStep::Delivery(FlowDelivery { attempt, .. }) => Place {
            id: None,
            cause: Some(&attempt.message_id),
            at: attempt.at,
            position: attempt.position,
        },
    }
}
