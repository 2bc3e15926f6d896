//! RefundOrder: asks payments to give money back, by amount or by lines.
//!
//! How much can be given back is payments' rule; here only what is evidently too much is refused.

use std::{collections::BTreeMap, time::Duration};

use pasar_contracts::{
    api::orders::{OrderLineInput, OrderState, RefundState},
    events::inventory::ReservedLine,
};
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{OrderId, RefundId},
    money::Money,
    quantity::Quantity,
    sku::Sku,
};
use serde::{Deserialize, Serialize};

use super::advance;
use crate::{
    fact::Fact,
    order::Order,
    pricing::Line,
    tables::{
        orders,
        refunds::{self, NewRefund},
    },
};

#[derive(Clone, Debug)]
pub struct RefundOrder {
    pub order: OrderId,
    pub what: Refunded,
    pub reason: String,
    pub pay_within: Duration,
}

/// What is given back.
#[derive(Clone, Debug, PartialEq)]
pub enum Refunded {
    Amount(Money),
    /// The price of these; `restock`: they can be sold again. Merged.
    Lines {
        lines: Vec<OrderLineInput>,
        restock: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Requested {
        refund: RefundId,
    },
    /// Only what was captured can be given back.
    Forbidden {
        state: OrderState,
        paid: bool,
    },
    Exceeds {
        refundable: Money,
    },
    /// The order does not have so many of these (left).
    NotInOrder {
        skus: Vec<Sku>,
    },
    /// There is no such order.
    Unknown,
}

pub fn refund_order(ctx: &mut Context<'_>, command: &RefundOrder) -> Result<Outcome, Fault> {
    let Some(mut order) = orders::read(ctx, command.order)? else {
        return Ok(Outcome::Unknown);
    };
    if order.forbids_refunds() {
        return Ok(Outcome::Forbidden {
            state: order.stage.state(),
            paid: order.is_paid(),
        });
    }
    let (amount, lines, restock) = match &command.what {
        Refunded::Amount(amount) => (*amount, Vec::new(), false),
        Refunded::Lines { lines, restock } => match price_of(ctx, &order, lines)? {
            Ok(amount) => (amount, lines.clone(), *restock),
            Err(skus) => return Ok(Outcome::NotInOrder { skus }),
        },
    };
    let refundable = order.refundable();
    let evidently_too_much = amount.currency != refundable.currency
        || amount.amount_minor > refundable.amount_minor
        || amount.amount_minor < 1;
    if evidently_too_much {
        return Ok(Outcome::Exceeds { refundable });
    }
    let refund = ctx.new_id();
    let restocked = lines.iter().filter(|_| restock).map(reserved).collect();
    let fact = Fact::Refund {
        refund,
        amount,
        restock: restocked,
        reason: command.reason.clone(),
    };
    advance(ctx, &mut order, fact, command.pay_within)?;
    let record = NewRefund {
        order: order.id,
        id: refund,
        amount: amount.amount_minor,
        state: RefundState::Requested,
        lines: &lines,
        restock,
        reason: &command.reason,
    };
    refunds::insert(ctx, &record)?;
    Ok(Outcome::Requested { refund })
}

/// The price of some of an order's goods; or those of which it does not have so many that no earlier
/// refund names.
fn price_of(
    ctx: &Context<'_>,
    order: &Order,
    wanted: &[OrderLineInput],
) -> Result<Result<Money, Vec<Sku>>, Fault> {
    let lines = orders::lines(ctx, order.id)?;
    let mut refunded: BTreeMap<Sku, i64> = BTreeMap::new();
    for (sku, quantity) in refunds::refunded_quantities(ctx, order.id)? {
        *refunded.entry(sku).or_default() += quantity.get();
    }
    let has = |line: &Line, quantity: Quantity| {
        let before = refunded.get(&line.sku).copied().unwrap_or(0);
        before + quantity.get() <= line.quantity.get()
    };
    let mut sum = 0;
    let mut missing = Vec::new();
    for OrderLineInput { sku, quantity } in wanted {
        match lines.iter().find(|line| line.sku == *sku) {
            Some(line) if has(line, *quantity) => {
                sum += line.price_of(*quantity, order.currency()).amount_minor;
            }
            _ => missing.push(sku.clone()),
        }
    }
    Ok(if missing.is_empty() {
        Ok(Money::new(sum, order.currency()))
    } else {
        Err(missing)
    })
}

fn reserved(line: &OrderLineInput) -> ReservedLine {
    ReservedLine {
        sku: line.sku.clone(),
        quantity: line.quantity,
    }
}

#[cfg(test)]
mod tests;
