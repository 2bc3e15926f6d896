//! Rows of `refund`.

use pasar_contracts::api::orders::{OrderLineInput, RefundState};
use pasar_store::{context::Context, fault::Fault, tx::Tx, value::Json};
use pasar_types::{
    id::{OrderId, RefundId},
    quantity::Quantity,
    sku::Sku,
};

use super::Word;

/// A refund to be recorded.
pub struct NewRefund<'a> {
    pub order: OrderId,
    pub id: RefundId,
    pub amount: i64,
    pub state: RefundState,
    pub lines: &'a [OrderLineInput],
    pub restock: bool,
    pub reason: &'a str,
}

pub fn insert(ctx: &Context<'_>, refund: &NewRefund<'_>) -> Result<(), Fault> {
    ctx.execute_one(
        "refund",
        "INSERT INTO refund (order_id, id, amount, state, lines, restock, reason, requested_at,
                             updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        &[
            &refund.order,
            &refund.id,
            &refund.amount,
            &refund.state.as_str(),
            &Json(refund.lines),
            &refund.restock,
            &refund.reason,
            &ctx.now(),
        ],
    )
}

pub fn state(tx: &Tx<'_>, order: OrderId, id: RefundId) -> Result<Option<RefundState>, Fault> {
    tx.query_opt(
        "SELECT state FROM refund WHERE order_id = ?1 AND id = ?2",
        &[&order, &id],
        |row| row.get(0).map(|Word(state)| state),
    )
}

pub fn set_state(
    ctx: &Context<'_>,
    order: OrderId,
    id: RefundId,
    state: RefundState,
) -> Result<(), Fault> {
    ctx.execute_one(
        "refund",
        "UPDATE refund SET state = ?3, updated_at = ?4 WHERE order_id = ?1 AND id = ?2",
        &[&order, &id, &state.as_str(), &ctx.now()],
    )
}

/// How many of a product earlier refunds of the order name, failed ones aside.
pub fn refunded_quantities(tx: &Tx<'_>, order: OrderId) -> Result<Vec<(Sku, Quantity)>, Fault> {
    let lists = tx.query_all(
        "SELECT lines FROM refund WHERE order_id = ?1 AND state <> 'failed'",
        &[&order],
        |row| row.json::<Vec<OrderLineInput>>(0),
    )?;
    let lines = lists.into_iter().flatten();
    Ok(lines.map(|line| (line.sku, line.quantity)).collect())
}
