//! Rows of `reservation` and `stock_return`.

use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
    value::{FromValue, Json, ToValue, Value, ValueRef},
};
use pasar_types::{
    id::{FlowId, LocationId, OrderId, RefundId, ReservationId},
    sku::Sku,
    time::Timestamp,
};

use crate::stock::{Line, ReservationState};

/// What is known about an order's stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) order: OrderId,
    pub(crate) id: ReservationId,
    pub(crate) location: LocationId,
    pub(crate) state: ReservationState,
    /// Merged; only what somebody counts.
    pub(crate) lines: Vec<Line>,
    /// Also names its timer. Absent for what never held anything.
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) flow: FlowId,
    pub(crate) keyversion: i64,
}

pub(crate) fn find(tx: &Tx<'_>, order: OrderId) -> Result<Option<Reservation>, Fault> {
    tx.query_opt(
        "SELECT order_id, id, location, state, lines, expires_at, flow, keyversion
         FROM reservation WHERE order_id = ?1",
        &[&order],
        reservation,
    )
}

/// Those of several orders.
pub(crate) fn find_all(tx: &Tx<'_>, orders: &[OrderId]) -> Result<Vec<Reservation>, Fault> {
    tx.query_among(
        "SELECT order_id, id, location, state, lines, expires_at, flow, keyversion
         FROM reservation WHERE order_id = ?1",
        orders,
        &[],
        reservation,
    )
}

/// The lane of a reservation is that of its location, which never changes.
pub(crate) fn location_of(tx: &Tx<'_>, order: OrderId) -> Result<Option<LocationId>, Fault> {
    tx.query_opt(
        "SELECT location FROM reservation WHERE order_id = ?1",
        &[&order],
        |row| row.get(0),
    )
}

pub(crate) fn insert(tx: &Tx<'_>, reservation: &Reservation) -> Result<(), Fault> {
    tx.execute_one(
        "reservation",
        "INSERT INTO reservation (order_id, id, location, state, lines, expires_at, flow, keyversion)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &[
            &reservation.order,
            &reservation.id,
            &reservation.location,
            &reservation.state,
            &Json(&reservation.lines),
            &reservation.expires_at,
            &reservation.flow,
            &reservation.keyversion,
        ],
    )?;
    Ok(())
}

/// Moves a reservation from the state that was read to the next one, with the next version. Consuming
/// and expiring both pass here: the row that is left in another state is not touched.
pub(crate) fn change_state(
    tx: &Tx<'_>,
    read: &Reservation,
    next: ReservationState,
) -> Result<i64, Fault> {
    tx.execute_one(
        "reservation",
        "UPDATE reservation SET state = ?3, keyversion = keyversion + 1
         WHERE order_id = ?1 AND state = ?2 AND keyversion = ?4",
        &[&read.order, &read.state, &next, &read.keyversion],
    )?;
    Ok(read.keyversion + 1)
}

/// Orders that hold units of a product at a location, the oldest first.
pub(crate) fn holders(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    limit: usize,
) -> Result<Vec<OrderId>, Fault> {
    let held = tx.query_all(
        "SELECT order_id, lines FROM reservation
         WHERE location = ?1 AND state = 'held' ORDER BY order_id LIMIT ?2",
        &[&location, &MOST_HELD_READ],
        |row| Ok((row.get::<OrderId>(0)?, row.json::<Vec<Line>>(1)?)),
    )?;
    let holding = held
        .into_iter()
        .filter(|(_, lines)| lines.iter().any(|line| line.sku == *sku));
    Ok(holding.map(|(order, _)| order).take(limit).collect())
}

/// Unsettled orders of a location that are looked through for those that hold a product.
const MOST_HELD_READ: i64 = 20_000;

/// Keeps what a refund brought back; false if that was kept before.
pub(crate) fn insert_return(
    tx: &Tx<'_>,
    order: OrderId,
    refund: RefundId,
    lines: &[Line],
) -> Result<bool, Fault> {
    let rows = tx.execute(
        "INSERT INTO stock_return (order_id, refund_id, lines) VALUES (?1, ?2, ?3)
         ON CONFLICT (order_id, refund_id) DO NOTHING",
        &[&order, &refund, &Json(lines)],
    )?;
    Ok(rows == 1)
}

/// All that refunds of an order brought back, and whether this one did.
pub(crate) fn returned(tx: &Tx<'_>, order: OrderId) -> Result<Vec<(RefundId, Vec<Line>)>, Fault> {
    tx.query_all(
        "SELECT refund_id, lines FROM stock_return WHERE order_id = ?1 ORDER BY refund_id",
        &[&order],
        |row| Ok((row.get(0)?, row.json(1)?)),
    )
}

fn reservation(row: &Row<'_>) -> Result<Reservation, Fault> {
    Ok(Reservation {
        order: row.get(0)?,
        id: row.get(1)?,
        location: row.get(2)?,
        state: row.get(3)?,
        lines: row.json(4)?,
        expires_at: row.get(5)?,
        flow: row.get(6)?,
        keyversion: row.get(7)?,
    })
}

impl ToValue for ReservationState {
    fn to_value(&self) -> Value<'_> {
        Value::Text(self.as_str().into())
    }
}

impl FromValue for ReservationState {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| value == ValueRef::Text(state.as_str()))
            .ok_or_else(|| format!("a state of a reservation, found {value:?}"))
    }
}
