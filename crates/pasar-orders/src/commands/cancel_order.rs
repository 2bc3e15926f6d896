//! CancelOrder: begins to give back what an order holds.

use std::time::Duration;

use pasar_chassis::extract::IfMatch;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use super::{Moved, advance};
use crate::{fact::Fact, order::Effect, tables::orders};

#[derive(Clone, Debug)]
pub struct CancelOrder {
    pub order: OrderId,
    /// Staff may cancel later than the owner, and thereby states that paid cash was handed back.
    pub by_staff: bool,
    /// Whether goods that the kitchen began with can be sold again.
    pub restock: bool,
    pub if_match: IfMatch,
    pub pay_within: Duration,
}

pub fn cancel_order(ctx: &mut Context<'_>, command: &CancelOrder) -> Result<Moved, Fault> {
    let Some(mut order) = orders::read(ctx, command.order)? else {
        return Ok(Moved::Unknown);
    };
    if !command.if_match.allows(order.keyversion) {
        return Ok(Moved::Changed {
            version: order.keyversion,
        });
    }
    let fact = Fact::Cancel {
        by_staff: command.by_staff,
        restock: command.restock,
    };
    Ok(match advance(ctx, &mut order, fact, command.pay_within)? {
        Effect::Changed(_) | Effect::Unchanged => Moved::Done,
        Effect::Forbidden => Moved::Forbidden {
            state: order.stage.state(),
            paid: order.is_paid(),
        },
    })
}

#[cfg(test)]
mod tests;
