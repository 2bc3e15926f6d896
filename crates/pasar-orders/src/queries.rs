//! Reads. They never emit, and each touches a bounded number of rows.

use pasar_contracts::api::orders::{Board, OrderState, Refund, RefundState};
use pasar_store::{
    fault::Fault,
    tx::{Row, Tx},
    value::ToValue,
};
use pasar_types::{
    id::{LocationId, OrderId, UserId},
    money::{Currency, Money},
    time::Timestamp,
};

use crate::{
    order::Order,
    pricing::Line,
    process::Stage,
    tables::{
        Word,
        orders::{ORDER_COLUMNS, order, order_columns},
    },
};

/// All that is stored about an order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    pub order: Order,
    pub method: String,
    pub lines: Vec<Line>,
    pub note: Option<String>,
    pub tax: Money,
    pub placed_at: Timestamp,
    pub refunds: Vec<Refund>,
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only this customer's; all if absent.
    pub customer: Option<UserId>,
    pub state: Option<OrderState>,
    pub location: Option<LocationId>,
    /// Only those before this one, as the list goes: the latest first.
    pub after: Option<OrderId>,
}

/// Numbers that a board shows at most, of each kind.
const MOST_ON_BOARD: i64 = 200;
/// Refunds of one order that are shown.
const MOST_REFUNDS: i64 = 200;

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            order_columns!(),
            ", method, lines, note, tax, placed_at FROM orders ",
            $rest
        )
    };
}

const OF_CUSTOMER: &str = select_rows!(
    "WHERE customer_id = ?1 AND id < ?2 AND (?3 = '' OR stage IN (?3, ?4, ?5, ?6))
     AND (location_id = ?7 OR ?7 IS NULL)
     ORDER BY id DESC LIMIT ?8"
);
const IN_SETTLED_STATE: &str = select_rows!(
    "WHERE settled_at IS NOT NULL AND stage = ?1 AND id < ?2
     AND (location_id = ?3 OR ?3 IS NULL)
     ORDER BY id DESC LIMIT ?4"
);
const IN_UNSETTLED_STATE: &str = select_rows!(
    "WHERE id IN (SELECT id FROM orders WHERE settled_at IS NULL)
     AND stage IN (?1, ?2, ?3, ?4) AND id < ?5 AND (location_id = ?6 OR ?6 IS NULL)
     ORDER BY id DESC LIMIT ?7"
);
const ALL: &str = select_rows!("WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
const AT_LOCATION: &str =
    select_rows!("WHERE location_id = ?1 ORDER BY day DESC, number DESC LIMIT ?2");
const AT_LOCATION_AFTER: &str = select_rows!(
    "WHERE location_id = ?1
     AND (day, number) < (SELECT day, number FROM orders WHERE id = ?2)
     ORDER BY day DESC, number DESC LIMIT ?3"
);
const BY_NUMBER: &str = select_rows!("WHERE location_id = ?1 AND day = ?2 AND number = ?3");
const ON_BOARD: &str = "SELECT number FROM orders
     WHERE settled_at IS NOT NULL AND stage = ?1 AND location_id = ?2 ORDER BY id LIMIT ?3";
const UNSETTLED: &str = "SELECT COUNT(*) FROM orders WHERE settled_at IS NULL";

pub fn find(tx: &Tx<'_>, id: OrderId) -> Result<Option<OrderRow>, Fault> {
    let found = tx.query_opt(select_rows!("WHERE id = ?1"), &[&id], read_row)?;
    found.map(|row| with_refunds(tx, row)).transpose()
}

/// Orders by a filter, the latest first.
pub fn list(tx: &Tx<'_>, filter: &OrderFilter, limit: usize) -> Result<Vec<OrderRow>, Fault> {
    let before = filter.after.unwrap_or(OrderId::from_bytes([u8::MAX; 16]));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let stages = filter.state.map_or([""; 4], stages_of);
    let [a, b, c, d] = &stages;
    let (location, customer) = (&filter.location, &filter.customer);
    let rows = match (customer, filter.state, location) {
        (Some(_), ..) => all(
            tx,
            OF_CUSTOMER,
            &[customer, &before, a, b, c, d, location, &limit],
        ),
        (None, Some(state), _) if state.is_settled() => {
            all(tx, IN_SETTLED_STATE, &[a, &before, location, &limit])
        }
        // What is unsettled is bounded; its index finds it, and the few rows are sorted.
        (None, Some(_), _) => all(
            tx,
            IN_UNSETTLED_STATE,
            &[a, b, c, d, &before, location, &limit],
        ),
        (None, None, Some(location)) => at_location(tx, *location, filter.after, limit),
        (None, None, None) => all(tx, ALL, &[&before, &limit]),
    }?;
    rows.into_iter().map(|row| with_refunds(tx, row)).collect()
}

/// Orders with a number on any of some business days (YYYY-MM-DD), the latest first.
pub fn by_number(
    tx: &Tx<'_>,
    number: i64,
    days: &[String],
    filter: &OrderFilter,
) -> Result<Vec<OrderRow>, Fault> {
    let locations = match filter.location {
        Some(location) => vec![location],
        None => tx.query_all(
            "SELECT id FROM location ORDER BY id LIMIT 1000",
            &[],
            |row| row.get(0),
        )?,
    };
    let mut found = Vec::new();
    for location in locations {
        for day in days {
            let row = tx.query_opt(BY_NUMBER, &[&location, day, &number], read_row)?;
            found.extend(row.filter(|row| filter.allows(&row.order)));
        }
    }
    found.sort_by_key(|row| std::cmp::Reverse(row.order.id));
    found.into_iter().map(|row| with_refunds(tx, row)).collect()
}

/// The numbers that a counter calls, oldest first.
pub fn board(tx: &Tx<'_>, location: LocationId) -> Result<Board, Fault> {
    let numbers = |stage: Stage| {
        tx.query_all(ON_BOARD, &[&stage, &location, &MOST_ON_BOARD], |row| {
            row.get(0)
        })
    };
    Ok(Board {
        location_id: location,
        preparing: numbers(Stage::Preparing)?,
        ready: numbers(Stage::Ready)?,
    })
}

/// All orders whose own stock or money is in flight.
pub fn count_unsettled(tx: &Tx<'_>) -> Result<u64, Fault> {
    let count: i64 = tx.query_one(UNSETTLED, &[], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// By number, which at a location is the order of placing, for which there is an index.
fn at_location(
    tx: &Tx<'_>,
    location: LocationId,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<OrderRow>, Fault> {
    match after {
        None => all(tx, AT_LOCATION, &[&location, &limit]),
        Some(after) => all(tx, AT_LOCATION_AFTER, &[&location, &after, &limit]),
    }
}

fn all(tx: &Tx<'_>, sql: &'static str, params: &[&dyn ToValue]) -> Result<Vec<OrderRow>, Fault> {
    tx.query_all(sql, params, read_row)
}

/// The stages of a state, the last repeated up to four.
fn stages_of(state: OrderState) -> [&'static str; 4] {
    let mut stages = [""; 4];
    let mut of_state = Stage::ALL.iter().filter(|stage| stage.state() == state);
    let mut last = "";
    for slot in &mut stages {
        last = of_state.next().map_or(last, |stage| stage.as_str());
        *slot = last;
    }
    stages
}

/// Only what was captured can have been given back, so most orders are not asked for.
fn with_refunds(tx: &Tx<'_>, mut row: OrderRow) -> Result<OrderRow, Fault> {
    if row.order.is_paid() {
        row.refunds = refunds(tx, row.order.id, row.order.currency())?;
    }
    Ok(row)
}

fn refunds(tx: &Tx<'_>, order: OrderId, currency: Currency) -> Result<Vec<Refund>, Fault> {
    tx.query_all(
        "SELECT id, amount, state, lines, restock, reason, requested_at, updated_at
         FROM refund WHERE order_id = ?1 ORDER BY requested_at, id LIMIT ?2",
        &[&order, &MOST_REFUNDS],
        |row| {
            let Word::<RefundState>(state) = row.get(2)?;
            Ok(Refund {
                id: row.get(0)?,
                amount: Money::new(row.get(1)?, currency),
                state,
                lines: row.json(3)?,
                restock: row.get(4)?,
                reason: row.get(5)?,
                requested_at: row.get(6)?,
                updated_at: row.get(7)?,
            })
        },
    )
}

fn read_row(row: &Row<'_>) -> Result<OrderRow, Fault> {
    let order = order(row)?;
    Ok(OrderRow {
        method: row.get(ORDER_COLUMNS)?,
        lines: row.json(ORDER_COLUMNS + 1)?,
        note: row.get(ORDER_COLUMNS + 2)?,
        tax: Money::new(row.get(ORDER_COLUMNS + 3)?, order.currency()),
        placed_at: row.get(ORDER_COLUMNS + 4)?,
        refunds: Vec::new(),
        order,
    })
}

impl OrderFilter {
    /// Whether an order that was found by other means is one of those.
    #[must_use]
    pub fn allows(&self, order: &Order) -> bool {
        self.customer
            .is_none_or(|customer| order.customer == Some(customer))
            && self.state.is_none_or(|state| order.stage.state() == state)
            && self
                .location
                .is_none_or(|location| order.location == location)
    }
}

#[cfg(test)]
mod tests;
