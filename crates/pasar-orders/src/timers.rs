//! What the clock makes orders do. The table decides whether a deadline still matters.

use std::time::Duration;

use pasar_store::{context::Context, fault::Fault, lane::LaneKey};
use pasar_types::time::Timestamp;

use crate::{
    commands::{
        parse_timer_key,
        record_fact::{Desk, record_fact},
    },
    fact::Fact,
    order::{CUT_OFF, DEADLINE, PAY_BY},
};

/// The lane of a timer's order.
#[must_use]
pub fn lane(_kind: &str, key: &str) -> LaneKey {
    parse_timer_key(key).map_or(LaneKey::ZERO, |(_, location)| {
        LaneKey::of(location.as_bytes())
    })
}

/// Tells an order that its time has come.
pub fn fire(
    ctx: &mut Context<'_>,
    kind: &str,
    key: &str,
    _due: Timestamp,
    pay_within: Duration,
) -> Result<(), Fault> {
    let unreadable = || Fault::Corrupt(format!("there is a timer {kind} of {key}"));
    let (order, _) = parse_timer_key(key).ok_or_else(unreadable)?;
    let fact = match kind {
        DEADLINE => Fact::DeadlinePassed,
        PAY_BY => Fact::PayByPassed,
        CUT_OFF => Fact::CutOffPassed,
        _ => return Err(unreadable()),
    };
    record_fact(ctx, &mut Desk::default(), order, fact, pay_within).map(drop)
}

#[cfg(test)]
mod tests;
