//! PlaceOrder: prices the lines, gives the order its number and begins the process.

use std::time::Duration;

use pasar_contracts::{
    api::{orders::OrderLineInput, payments::PaymentState},
    events::orders::{OrderPlaced, PaymentToken},
};
use pasar_store::{
    context::Context,
    fault::Fault,
    idempotency::{Fingerprint, IdempotencyKey, Once},
};
use pasar_types::{
    id::{LocationId, OrderId, UserId},
    money::Money,
    sku::Sku,
};
use serde::{Deserialize, Serialize};

use super::timer_key;
use crate::{
    order::{Order, StockState},
    pricing::{self, Line, Totals},
    process::Stage,
    queries::OrderRow,
    tables::{
        catalogue::{self, Location},
        numbers,
        orders::{self, Placement},
    },
};

/// A customer's intention. The lines are merged (`pricing::merge`), the texts within their lengths.
#[derive(Clone)]
pub struct PlaceOrder {
    /// Given by the caller, who may already be waiting for what happens to it.
    pub id: OrderId,
    pub lines: Vec<OrderLineInput>,
    pub method: String,
    pub token: Option<String>,
    pub location: LocationId,
    pub expected_total: Option<Money>,
    pub note: Option<String>,
    pub customer: Option<UserId>,
    /// Unsettled orders that the customer may have; `None` for whoever is not limited.
    pub most_unsettled: Option<u32>,
    pub deadline: Duration,
    /// The copy of the catalogue is as new as the catalogue: what it does not know does not exist.
    pub catalogue_is_current: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Placed(Box<OrderRow>),
    /// The same key placed this order before.
    PlacedBefore(OrderId),
    Refused(Refusal),
    /// The key stands for another request.
    KeyReused,
    /// Refused for the moment; the key may be used again for the same.
    NotNow(NotNow),
}

/// A refusal that is repeated to the same key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// The total is not the expected one.
    PriceChanged {
        total: Money,
    },
    UnknownSku {
        skus: Vec<Sku>,
    },
    NotOrderable {
        skus: Vec<Sku>,
    },
    UnknownLocation,
    /// The total is beyond all amounts.
    TotalOutOfRange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// Something is unknown, and the catalogue may just be late.
    CatalogueBehind,
    TooManyUnsettled,
}

/// What is kept for the key.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kept", rename_all = "snake_case")]
enum Kept {
    Placed { order: OrderId },
    Refused(Refusal),
}

/// Ends an `once` without an outcome to keep; never leaves this file.
const NOT_KEPT: Fault = Fault::Conflict("an outcome that is not kept");

pub fn place_order(
    ctx: &mut Context<'_>,
    command: &PlaceOrder,
    key: &IdempotencyKey,
    fingerprint: Fingerprint,
) -> Result<Outcome, Fault> {
    let mut placed = None;
    let mut not_now = None;
    let kept = ctx.once("place_order", key, fingerprint, |ctx| {
        match decide(ctx, command)? {
            Decided::Place(quote) => {
                placed = Some(write(ctx, command, quote)?);
                Ok(Kept::Placed { order: command.id })
            }
            Decided::Refuse(refusal) => Ok(Kept::Refused(refusal)),
            Decided::NotNow(reason) => {
                not_now = Some(reason);
                Err(NOT_KEPT)
            }
        }
    });
    if let Some(reason) = not_now {
        return Ok(Outcome::NotNow(reason));
    }
    Ok(match (kept?, placed) {
        (Once::Fresh(Kept::Placed { .. }), Some(row)) => Outcome::Placed(Box::new(row)),
        (Once::Fresh(Kept::Placed { order }) | Once::Repeated(Kept::Placed { order }), _) => {
            Outcome::PlacedBefore(order)
        }
        (Once::Fresh(Kept::Refused(refusal)) | Once::Repeated(Kept::Refused(refusal)), _) => {
            Outcome::Refused(refusal)
        }
        (Once::KeyReused, _) => Outcome::KeyReused,
    })
}

enum Decided {
    Place(Quote),
    Refuse(Refusal),
    NotNow(NotNow),
}

/// An order's lines and their price at its location.
struct Quote {
    location: Location,
    lines: Vec<Line>,
    totals: Totals,
}

fn decide(ctx: &Context<'_>, command: &PlaceOrder) -> Result<Decided, Fault> {
    let unknown = |refusal| {
        if command.catalogue_is_current {
            Decided::Refuse(refusal)
        } else {
            Decided::NotNow(NotNow::CatalogueBehind)
        }
    };
    if is_over_the_limit(ctx, command)? {
        return Ok(Decided::NotNow(NotNow::TooManyUnsettled));
    }
    let Some(location) = catalogue::location(ctx, command.location)? else {
        return Ok(unknown(Refusal::UnknownLocation));
    };
    let priced = price(ctx, &command.lines, &location)?;
    if !priced.unknown.is_empty() {
        return Ok(unknown(Refusal::UnknownSku {
            skus: priced.unknown,
        }));
    }
    if !priced.not_orderable.is_empty() {
        return Ok(Decided::Refuse(Refusal::NotOrderable {
            skus: priced.not_orderable,
        }));
    }
    let Ok(totals) = pricing::totals(&priced.lines, location.currency) else {
        return Ok(Decided::Refuse(Refusal::TotalOutOfRange));
    };
    Ok(match command.expected_total {
        Some(expected) if expected != totals.total => Decided::Refuse(Refusal::PriceChanged {
            total: totals.total,
        }),
        _ => Decided::Place(Quote {
            location,
            lines: priced.lines,
            totals,
        }),
    })
}

fn is_over_the_limit(ctx: &Context<'_>, command: &PlaceOrder) -> Result<bool, Fault> {
    let (Some(customer), Some(most)) = (command.customer, command.most_unsettled) else {
        return Ok(false);
    };
    orders::unsettled_of(ctx, customer, most).map(|unsettled| unsettled >= most)
}

#[derive(Default)]
struct Priced {
    lines: Vec<Line>,
    unknown: Vec<Sku>,
    not_orderable: Vec<Sku>,
}

/// A product in another currency than the location's cannot be sold there.
fn price(
    ctx: &Context<'_>,
    wanted: &[OrderLineInput],
    location: &Location,
) -> Result<Priced, Fault> {
    let mut priced = Priced {
        lines: Vec::with_capacity(wanted.len()),
        ..Priced::default()
    };
    let skus: Vec<&Sku> = wanted.iter().map(|line| &line.sku).collect();
    let mut products = catalogue::products(ctx, &skus)?;
    for OrderLineInput { sku, quantity } in wanted {
        let Some(product) = products.remove(sku) else {
            priced.unknown.push(sku.clone());
            continue;
        };
        let orderable = product.orderable
            && product.price.currency == location.currency
            && !product.sold_out_at.contains(&location.id);
        if !orderable {
            priced.not_orderable.push(sku.clone());
            continue;
        }
        priced.lines.push(Line {
            sku: sku.clone(),
            name: product.name,
            quantity: *quantity,
            unit_price: product.price.amount_minor,
            tax_rate: product.tax_rate,
        });
    }
    Ok(priced)
}

fn write(ctx: &mut Context<'_>, command: &PlaceOrder, quote: Quote) -> Result<OrderRow, Fault> {
    let Quote {
        location,
        lines,
        totals,
    } = quote;
    let now = ctx.now();
    let day = location.cut_off.day_of(now).to_string();
    let number = numbers::next(ctx, location.id, &day)?;
    let deadline = now + command.deadline;
    let order = Order {
        id: command.id,
        version: 1,
        keyversion: 1,
        flow: ctx.cause().flow,
        location: location.id,
        number,
        customer: command.customer,
        stage: Stage::Placed,
        stock: StockState::Pending,
        payment: PaymentState::Pending,
        cash: false,
        stock_answered: false,
        money_answered: false,
        total: totals.total,
        captured: 0,
        refunded: 0,
        refunding: 0,
        next_action: None,
        cancellation: None,
        deadline: Some(deadline),
        settled_at: None,
        updated_at: now,
    };
    let placement = Placement {
        day: &day,
        method: &command.method,
        lines: &lines,
        note: command.note.as_deref(),
        totals,
        placed_at: now,
    };
    orders::insert(ctx, &order, &placement)?;
    if let Some(timer) = order.timer() {
        ctx.set_timer(timer.kind, &timer_key(order.id, order.location), timer.due)?;
    }
    let event = OrderPlaced {
        order: order.reference(),
        lines: lines
            .iter()
            .map(|line| line.placed(order.currency()))
            .collect(),
        total: totals.total,
        method: command.method.clone(),
        deadline,
    };
    let key = order.id.to_string();
    match command.token.clone() {
        Some(token) => ctx.emit_private(&key, 1, &event, &PaymentToken { token })?,
        None => ctx.emit(&key, 1, &event)?,
    }
    Ok(OrderRow {
        order,
        method: command.method.clone(),
        lines,
        note: command.note.clone(),
        tax: totals.tax,
        placed_at: now,
        refunds: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
