//! Rows of `orders`.

use pasar_contracts::api::payments::PaymentState;
use pasar_store::{
    context::Context,
    fault::Fault,
    tx::{Row, Tx},
    value::{Json, ToValue},
};
use pasar_types::{
    id::{LocationId, OrderId, UserId},
    money::Money,
    time::Timestamp,
};

use super::{Word, json_opt};
use crate::{
    order::{Order, StockState},
    pricing::{Line, Totals},
    process::Stage,
};

/// What stands in an order's row and never changes.
pub struct Placement<'a> {
    pub day: &'a str,
    pub method: &'a str,
    pub lines: &'a [Line],
    pub note: Option<&'a str>,
    pub totals: Totals,
    pub placed_at: Timestamp,
}

/// What decides who may see an order, and in which lane it is written. Neither ever changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub location: LocationId,
    pub customer: Option<UserId>,
}

/// The columns that every change writes, `?1` to `?14`, and the condition.
macro_rules! update {
    ($also:literal) => {
        concat!(
            "UPDATE orders SET version = version + 1, keyversion = ?3, stock = ?4, payment = ?5,
                 cash = ?6, stock_answered = ?7, money_answered = ?8, captured = ?9, refunded = ?10,
                 refunding = ?11, next_action = ?12, cancellation = ?13, deadline = ?14,
                 updated_at = ?15",
            $also,
            " WHERE id = ?1 AND version = ?2"
        )
    };
}

/// The columns that [`order`] reads. Others may follow from [`ORDER_COLUMNS`] on.
macro_rules! order_columns {
    () => {
        "id, version, keyversion, flow, location_id, number, customer_id, stage, stock, payment,
         cash, stock_answered, money_answered, currency, total, captured, refunded, refunding,
         next_action, cancellation, deadline, settled_at, updated_at"
    };
}
pub(crate) use order_columns;

pub(crate) const ORDER_COLUMNS: usize = 23;

pub fn insert(ctx: &Context<'_>, order: &Order, placement: &Placement<'_>) -> Result<(), Fault> {
    ctx.execute_one(
        "order",
        "INSERT INTO orders (id, version, keyversion, flow, location_id, day, number, customer_id,
             stage, stock, payment, method, cash, stock_answered, money_answered, lines, note,
             currency, tax, total, captured, refunded, refunding, deadline, placed_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, 0, ?13, ?14, ?15, ?16, ?17,
                 0, 0, 0, ?18, ?19, ?19)",
        &[
            &order.id,
            &order.version,
            &order.keyversion,
            &order.flow,
            &order.location,
            &placement.day,
            &order.number,
            &order.customer,
            &order.stage,
            &order.stock,
            &order.payment.as_str(),
            &placement.method,
            &Json(placement.lines),
            &placement.note,
            &order.currency(),
            &placement.totals.tax.amount_minor,
            &order.total.amount_minor,
            &order.deadline,
            &placement.placed_at,
        ],
    )
}

pub fn read(tx: &Tx<'_>, id: OrderId) -> Result<Option<Order>, Fault> {
    tx.query_opt(
        concat!("SELECT ", order_columns!(), " FROM orders WHERE id = ?1"),
        &[&id],
        order,
    )
}

/// Those of the orders that are known.
pub fn read_all(tx: &Tx<'_>, ids: &[OrderId]) -> Result<Vec<Order>, Fault> {
    tx.query_among(
        concat!("SELECT ", order_columns!(), " FROM orders WHERE id = ?1"),
        ids,
        &[],
        order,
    )
}

/// Writes an order as it now is over the version that was read. What is indexed is named only where it
/// changes, so that the indexes are left alone.
pub fn update(ctx: &Context<'_>, before: &Before, order: &Order) -> Result<(), Fault> {
    let payment = order.payment.as_str();
    let next_action = order.next_action.as_ref().map(Json);
    let cancellation = order.cancellation.as_ref().map(Json);
    let mut values: Vec<&dyn ToValue> = vec![
        &order.id,
        &order.version,
        &order.keyversion,
        &order.stock,
        &payment,
        &order.cash,
        &order.stock_answered,
        &order.money_answered,
        &order.captured,
        &order.refunded,
        &order.refunding,
        &next_action,
        &cancellation,
        &order.deadline,
        &order.updated_at,
    ];
    let statement = if order.stage == before.stage {
        update!("")
    } else if order.settled_at == before.settled_at {
        values.push(&order.stage);
        update!(", stage = ?16")
    } else {
        values.push(&order.stage);
        values.push(&order.settled_at);
        update!(", stage = ?16, settled_at = ?17")
    };
    ctx.execute_one("order", statement, &values)
}

/// What of an order decides which columns a change must write.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    pub stage: Stage,
    pub settled_at: Option<Timestamp>,
}

pub fn whereabouts(tx: &Tx<'_>, id: OrderId) -> Result<Option<Whereabouts>, Fault> {
    tx.query_opt(
        "SELECT location_id, customer_id FROM orders WHERE id = ?1",
        &[&id],
        |row| {
            Ok(Whereabouts {
                location: row.get(0)?,
                customer: row.get(1)?,
            })
        },
    )
}

/// The priced lines of an order.
pub fn lines(tx: &Tx<'_>, id: OrderId) -> Result<Vec<Line>, Fault> {
    tx.query_one("SELECT lines FROM orders WHERE id = ?1", &[&id], |row| {
        row.json(0)
    })
}

pub(crate) const UNSETTLED_OF: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM orders
         WHERE customer_id = ?1 AND settled_at IS NULL LIMIT ?2) AS found";

/// How many orders of a customer are unsettled, counted up to `most`.
pub fn unsettled_of(tx: &Tx<'_>, customer: UserId, most: u32) -> Result<u32, Fault> {
    tx.query_one(UNSETTLED_OF, &[&customer, &most], |row| row.get(0))
}

pub(crate) fn order(row: &Row<'_>) -> Result<Order, Fault> {
    let Word::<PaymentState>(payment) = row.get(9)?;
    Ok(Order {
        id: row.get(0)?,
        version: row.get(1)?,
        keyversion: row.get(2)?,
        flow: row.get(3)?,
        location: row.get(4)?,
        number: row.get(5)?,
        customer: row.get(6)?,
        stage: row.get(7)?,
        stock: row.get::<StockState>(8)?,
        payment,
        cash: row.get(10)?,
        stock_answered: row.get(11)?,
        money_answered: row.get(12)?,
        total: Money::new(row.get(14)?, row.get(13)?),
        captured: row.get(15)?,
        refunded: row.get(16)?,
        refunding: row.get(17)?,
        next_action: json_opt(row, 18)?,
        cancellation: json_opt(row, 19)?,
        deadline: row.get(20)?,
        settled_at: row.get(21)?,
        updated_at: row.get(22)?,
    })
}
