//! What can be asked of the service, a file each: the command, what came of it, its handler.

pub mod cancel_order;
pub mod move_order;
pub mod place_order;
pub mod record_fact;
pub mod refund_order;

use std::time::Duration;

use pasar_contracts::api::orders::OrderState;
use pasar_store::{context::Context, fault::Fault};
use pasar_types::id::{LocationId, OrderId};
use serde::{Deserialize, Serialize};

use crate::{
    announce::announce,
    fact::Fact,
    order::{Effect, Order, OrderTimer},
    tables::orders::{self, Before},
};

/// How a call to move an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Moved {
    /// It is as the caller wants it, now or since before.
    Done,
    /// Its state, or that it is not paid, forbids the move.
    Forbidden { state: OrderState, paid: bool },
    /// It is not in the version that the caller meant.
    Changed { version: i64 },
    /// There is no such order.
    Unknown,
}

/// Lets the table decide about a fact and writes what it decides: the row, its timer, one event.
pub(crate) fn advance(
    ctx: &mut Context<'_>,
    order: &mut Order,
    fact: Fact,
    pay_within: Duration,
) -> Result<Effect, Fault> {
    ctx.join_flow(order.flow);
    let timer = order.timer();
    let before = Before {
        stage: order.stage,
        settled_at: order.settled_at,
    };
    let effect = order
        .apply(fact, ctx.now(), pay_within)
        .map_err(|impossible| {
            metrics::counter!("pasar_orders_impossible_total").increment(1);
            Fault::Bug(impossible.to_string())
        })?;
    if let Effect::Changed(told) = &effect {
        orders::update(ctx, &before, order)?;
        order.version += 1;
        replace_timer(ctx, order, timer)?;
        announce(ctx, order, told.clone())?;
    }
    Ok(effect)
}

/// The key of an order's timers: it names the lane too, so that none has to be looked up.
#[must_use]
pub fn timer_key(order: OrderId, location: LocationId) -> String {
    format!("{order}/{location}")
}

/// Reads a timer's key back.
#[must_use]
pub fn parse_timer_key(key: &str) -> Option<(OrderId, LocationId)> {
    let (order, location) = key.split_once('/')?;
    Some((order.parse().ok()?, location.parse().ok()?))
}

fn replace_timer(
    ctx: &mut Context<'_>,
    order: &Order,
    before: Option<OrderTimer>,
) -> Result<(), Fault> {
    let now = order.timer();
    if before == now {
        return Ok(());
    }
    let key = timer_key(order.id, order.location);
    if let Some(timer) = before {
        ctx.drop_timer(timer.kind, &key, timer.due)?;
    }
    if let Some(timer) = now {
        ctx.set_timer(timer.kind, &key, timer.due)?;
    }
    Ok(())
}
