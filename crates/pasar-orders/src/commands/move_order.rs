//! MoveOrder: what staff does with a confirmed order.

use std::time::Duration;

use pasar_chassis::extract::IfMatch;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::OrderId;

use super::{Moved, advance};
use crate::{
    fact::Fact,
    order::{Effect, Order},
    tables::{catalogue, orders},
};

#[derive(Clone, Debug)]
pub struct MoveOrder {
    pub order: OrderId,
    pub step: Step,
    pub if_match: IfMatch,
    pub pay_within: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The kitchen begins.
    Start,
    /// It waits to be collected.
    Ready,
    Collect,
}

pub fn move_order(ctx: &mut Context<'_>, command: &MoveOrder) -> Result<Moved, Fault> {
    let Some(mut order) = orders::read(ctx, command.order)? else {
        return Ok(Moved::Unknown);
    };
    if !command.if_match.allows(order.keyversion) {
        return Ok(Moved::Changed {
            version: order.keyversion,
        });
    }
    let fact = fact(ctx, &order, command.step)?;
    Ok(match advance(ctx, &mut order, fact, command.pay_within)? {
        Effect::Changed(_) | Effect::Unchanged => Moved::Done,
        Effect::Forbidden => Moved::Forbidden {
            state: order.stage.state(),
            paid: order.is_paid(),
        },
    })
}

fn fact(ctx: &Context<'_>, order: &Order, step: Step) -> Result<Fact, Fault> {
    let location = || catalogue::location_of_order(ctx, order.location);
    Ok(match step {
        Step::Start => Fact::Start {
            starts_unpaid: location()?.starts_unpaid,
        },
        Step::Ready => Fact::MarkReady {
            cut_off: location()?.cut_off.next_after(ctx.now()),
        },
        Step::Collect => Fact::Collect,
    })
}

impl Step {
    /// The command's name for its idempotency keys.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::Start => "start_order",
            Self::Ready => "mark_order_ready",
            Self::Collect => "collect_order",
        }
    }
}

#[cfg(test)]
mod tests;
