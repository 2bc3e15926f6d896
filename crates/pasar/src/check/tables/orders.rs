//! Orders.

use pasar_store::{fault::Fault, tx::Tx};
use pasar_types::{
    id::{LocationId, OrderId},
    time::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Order {
    pub(in crate::check) location: LocationId,
    pub(in crate::check) stage: String,
    pub(in crate::check) method: String,
    pub(in crate::check) cash: bool,
    pub(in crate::check) total: i64,
    pub(in crate::check) currency: String,
    pub(in crate::check) captured: i64,
    pub(in crate::check) refunded: i64,
    pub(in crate::check) refunding: i64,
    pub(in crate::check) deadline: Option<Timestamp>,
    pub(in crate::check) settled: bool,
}

pub(in crate::check) fn order(tx: &Tx<'_>, id: OrderId) -> Result<Option<Order>, Fault> {
    tx.query_opt(
        "SELECT location_id, stage, method, cash, total, currency, captured, refunded, refunding, deadline,
                settled_at IS NOT NULL
         FROM orders WHERE id = ?1",
        &[&id],
        |row| {
            Ok(Order {
                location: row.get(0)?,
                stage: row.get(1)?,
                method: row.get(2)?,
                cash: row.get(3)?,
                total: row.get(4)?,
                currency: row.get(5)?,
                captured: row.get(6)?,
                refunded: row.get(7)?,
                refunding: row.get(8)?,
                deadline: row.get(9)?,
                settled: row.get(10)?,
            })
        },
    )
}

pub(in crate::check) fn ids(
    tx: &Tx<'_>,
    after: OrderId,
    limit: i64,
) -> Result<Vec<OrderId>, Fault> {
    tx.query_all(
        "SELECT id FROM orders WHERE id > ?1 ORDER BY id LIMIT ?2",
        &[&after, &limit],
        |row| row.get(0),
    )
}
