//! RecordFact: what inventory, payments or the clock say about an order.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use pasar_contracts::api::orders::RefundState;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::{
    id::{OrderId, RefundId},
    money::Money,
};

use super::advance;
use crate::{
    fact::Fact,
    order::{Effect, Order},
    tables::{
        orders,
        refunds::{self, NewRefund},
    },
};

/// How a refund ended, as payments tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundEnded {
    pub refund: RefundId,
    pub amount: Money,
    pub ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Succeeded {
        /// Nothing of what was captured is left.
        in_full: bool,
    },
    Failed,
}

/// Why payments gave back money that nobody here asked back: the order was cancelled.
const CANCELLED: &str = "cancelled";

/// Orders that were read together and are written one by one, each over its last state.
#[derive(Debug, Default)]
pub struct Desk(HashMap<OrderId, Order>);

impl Desk {
    /// Reads those that are known.
    pub fn with(ctx: &Context<'_>, orders: &[OrderId]) -> Result<Self, Fault> {
        let read = orders::read_all(ctx, orders)?;
        Ok(Self(
            read.into_iter().map(|order| (order.id, order)).collect(),
        ))
    }

    fn order(&mut self, ctx: &Context<'_>, id: OrderId) -> Result<&mut Order, Fault> {
        match self.0.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => match orders::read(ctx, id)? {
                Some(order) => Ok(place.insert(order)),
                None => Err(Fault::Corrupt(format!("order {id} is not known here"))),
            },
        }
    }
}

pub fn record_fact(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    order: OrderId,
    fact: Fact,
    pay_within: Duration,
) -> Result<Effect, Fault> {
    let order = desk.order(ctx, order)?;
    advance(ctx, order, fact, pay_within)
}

/// The same for a refund, whose own record it ends.
pub fn record_refund(
    ctx: &mut Context<'_>,
    desk: &mut Desk,
    order: OrderId,
    ended: RefundEnded,
    pay_within: Duration,
) -> Result<Effect, Fault> {
    let order = desk.order(ctx, order)?;
    let RefundEnded { refund, amount, .. } = ended;
    let was = refunds::state(ctx, order.id, refund)?;
    let (state, fact) = match ended.ended {
        Ended::Succeeded { in_full } => (
            RefundState::Succeeded,
            Fact::Refunded {
                amount,
                in_full,
                was,
            },
        ),
        Ended::Failed => (RefundState::Failed, Fact::RefundFailed { amount, was }),
    };
    let effect = advance(ctx, order, fact, pay_within)?;
    match was {
        None => refunds::insert(
            ctx,
            &NewRefund {
                order: order.id,
                id: refund,
                amount: amount.amount_minor,
                state,
                lines: &[],
                restock: false,
                reason: CANCELLED,
            },
        )?,
        Some(RefundState::Succeeded) => {}
        Some(was) if was == state => {}
        Some(_) => refunds::set_state(ctx, order.id, refund, state)?,
    }
    Ok(effect)
}

#[cfg(test)]
mod tests;
