//! Rows of `movement`, the ledger of stock. They are added and read, never changed.

use pasar_contracts::api::inventory::{Movement, MovementKind};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
    value::{FromValue, ToValue, Value, ValueRef},
};
use pasar_types::{id::LocationId, sku::Sku};

pub(crate) fn insert(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    movement: &Movement,
) -> Result<(), Fault> {
    tx.execute_one(
        "movement",
        "INSERT INTO movement (location, sku, number, kind, change, on_hand, order_id, reason, actor, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            &location,
            sku,
            &movement.number,
            &Kind(movement.kind),
            &movement.change,
            &movement.on_hand,
            &movement.order_id,
            &movement.reason,
            &movement.actor,
            &movement.at,
        ],
    )?;
    Ok(())
}

/// Movements below a number, the latest first.
pub(crate) fn before(
    tx: &Tx<'_>,
    location: LocationId,
    sku: &Sku,
    below: i64,
    limit: i64,
) -> Result<Vec<Movement>, Fault> {
    tx.query_all(
        "SELECT number, kind, change, on_hand, order_id, reason, actor, at FROM movement
         WHERE location = ?1 AND sku = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4",
        &[&location, sku, &below, &limit],
        movement,
    )
}

fn movement(row: &Row<'_>) -> Result<Movement, Fault> {
    Ok(Movement {
        number: row.get(0)?,
        kind: row.get::<Kind>(1)?.0,
        change: row.get(2)?,
        on_hand: row.get(3)?,
        order_id: row.get(4)?,
        reason: row.get(5)?,
        actor: row.get(6)?,
        at: row.get(7)?,
    })
}

/// A movement's kind in a column.
struct Kind(MovementKind);

impl ToValue for Kind {
    fn to_value(&self) -> Value<'_> {
        let text = match self.0 {
            MovementKind::Intake => "intake",
            MovementKind::Count => "count",
            MovementKind::WriteOff => "write_off",
            MovementKind::Sale => "sale",
            MovementKind::Return => "return",
        };
        Value::Text(text.into())
    }
}

impl FromValue for Kind {
    fn from_value(value: ValueRef<'_>) -> Result<Self, String> {
        Ok(Self(match value {
            ValueRef::Text("intake") => MovementKind::Intake,
            ValueRef::Text("count") => MovementKind::Count,
            ValueRef::Text("write_off") => MovementKind::WriteOff,
            ValueRef::Text("sale") => MovementKind::Sale,
            ValueRef::Text("return") => MovementKind::Return,
            other => return Err(format!("a kind of movement, found {other:?}")),
        }))
    }
}
